"""What could business accounts be called, from the plausible to the hostile?"""

from __future__ import annotations

from typing import Final

__all__ = [
    "COUNTRIES",
    "ENDINGS",
    "FIRST_NAMES",
    "FOREIGN",
    "FORMS",
    "HOSTILE",
    "LAST_NAMES",
    "SEGMENTS",
    "STEMS",
    "SUBJECTS",
    "TRADES",
]

STEMS: Final = (
    "Alder", "Amber", "Arden", "Ash", "Bay", "Birch", "Bramble", "Bright", "Calder",
    "Cedar", "Clear", "Copper", "Corvin", "Dane", "Dorn", "East", "Elm", "Fal", "Fern",
    "Glen", "Gold", "Grand", "Hale", "Harbor", "Hazel", "High", "Iron", "Kessel",
    "Lake", "Linden", "Lorn", "Maple", "Marl", "Mill", "Nord", "Oak", "Old", "Quarry",
    "Raven", "Red", "River", "Rowan", "Silver", "Stone", "Sund", "Tarn", "Thorn", "Vale",
    "West", "Wind",
)  # fmt: skip

ENDINGS: Final = (
    "bach", "berg", "borough", "bridge", "brook", "by", "dale", "feld", "field", "ford",
    "gate", "haven", "holm", "hurst", "land", "ley", "mark", "mere", "mont", "more",
    "port", "ridge", "stad", "stone", "ton", "vik", "ville", "wald", "well", "worth",
)  # fmt: skip

TRADES: Final = (
    "Analytics", "Bearings", "Biotech", "Castings", "Ceramics", "Chemicals", "Cold Storage",
    "Components", "Controls", "Dairy", "Diagnostics", "Electric", "Engineering", "Foods",
    "Freight", "Glass", "Instruments", "Interiors", "Logistics", "Machinery", "Marine",
    "Media", "Metals", "Mobility", "Networks", "Optics", "Packaging", "Paper", "Pharma",
    "Plastics", "Power", "Print", "Pumps", "Robotics", "Seeds", "Systems", "Textiles",
    "Timber", "Tools", "Valves",
)  # fmt: skip

FORMS: Final = (
    "AB",
    "AG",
    "BV",
    "GmbH",
    "Group",
    "Inc.",
    "Ltd",
    "NV",
    "SA",
    "SAS",
    "SpA",
    "Oy",
)

FOREIGN: Final = (
    "株式会社山田製作所", "北京晨光科技有限公司", "삼호정밀 주식회사", "ООО «Северный ветер»",
    "شركة النور للتجارة", "Ελληνικά Ναυπηγεία ΑΕ", "דפוס הגליל בע״מ", "บริษัท สยามกลการ จำกัด",
    "भारत उपकरण लिमिटेड", "Łódź Włókna Sp. z o.o.", "Ærø Værft A/S", "Žďárské strojírny s.r.o.",
)  # fmt: skip

# Each has broken somebody's spreadsheet, terminal, page or query.
HOSTILE: Final = (
    "NA",
    "=SUM(A1)",
    "O'Brien & Sons",
    "Robert'); DROP TABLE account;--",
    "Müller | Söhne KG",
    "<script>alert(1)</script> Ltd",
    "\x1b[31mRed Alert\x1b[0m Ltd",
    "Line\nBreak AG",
    "\u202eltd.elbisrever",
    "../../etc/passwd",
)

SEGMENTS: Final = (
    "Agriculture", "Banking", "Chemicals", "Construction", "Education", "Energy",
    "Healthcare", "Manufacturing", "Media", "Retail", "Technology", "Transportation",
)  # fmt: skip

COUNTRIES: Final = (
    "Austria", "Belgium", "Denmark", "France", "Germany", "Italy", "Japan", "Netherlands",
    "Norway", "Poland", "Spain", "Sweden", "Switzerland", "United Kingdom", "United States",
)  # fmt: skip

FIRST_NAMES: Final = (
    "Aiko", "Amina", "Bram", "Carla", "Dmitri", "Elif", "Farid", "Greta", "Hugo", "Ines",
    "Jonas", "Katrin", "Lena", "Mateo", "Nour", "Olga", "Pierre", "Quentin", "Rosa", "Sven",
)  # fmt: skip

LAST_NAMES: Final = (
    "Andersen", "Bauer", "Costa", "Dubois", "Eriksen", "Fontaine", "García", "Haddad",
    "Ivanova", "Jansen", "Kowalski", "Lindqvist", "Moreau", "Nakamura", "Okafor",
    "Petrov", "Rossi", "Schmidt", "Tanaka", "Weber",
)  # fmt: skip

SUBJECTS: Final = (
    "annual contract", "expansion", "framework agreement", "maintenance", "migration",
    "new line", "pilot", "renewal", "replacement", "retrofit", "roll-out", "second site",
    "service plan", "spare parts", "starter order", "training", "upgrade",
)  # fmt: skip
