"""How one gets in, what is said when one does not, and where a token may go."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from conftest_salesforce import IMPATIENT, SECRET, StrangeHost, connected, said
