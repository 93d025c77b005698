"use strict";
(() => {
  const lang = document.documentElement.lang;
  const compare = new Intl.Collator(lang, { numeric: true, sensitivity: "base" }).compare;
  const written = new Intl.NumberFormat(lang);
  const plain = (text) =>
    text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLocaleLowerCase(lang);

  const made = (tag, text, attributes = {}) => {
    const element = document.createElement(tag);
    if (text) element.textContent = text;
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };

  // A heading becomes a button that sorts; a second press turns the order around.
  const sortable = (head, sort) => {
    const button = made("button", head.textContent, { type: "button" });
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      sort(down ? -1 : 1);
    });
  };

  // What is unknown stays at the end, whichever way it is sorted.
  const ordered = (one, other, way) => {
    if (one === null || other === null) return (one === null) - (other === null);
    return way * (typeof one === "number" ? one - other : compare(one, other));
  };

  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((head, at) => {
      const keys = new Map();
      for (const row of body.rows) {
        const cell = row.cells[at];
        const isNumber = [...body.rows].some((each) => "key" in each.cells[at].dataset);
        const key = "key" in cell.dataset ? Number(cell.dataset.key) : null;
        keys.set(row, isNumber ? key : cell.textContent);
      }
      sortable(head, (way) => {
        const rows = [...body.rows];
        rows.sort((one, other) => ordered(keys.get(one), keys.get(other), way));
        body.append(...rows);
      });
    });
  }

  // On paper nothing can be opened, so all that stands behind is open there.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details.behind:not([open])")];
    for (const each of opened) each.open = true;
  });
  addEventListener("afterprint", () => {
    for (const each of opened) each.open = false;
  });

  // Only what is wider than its place needs to be reached by keyboard, to be scrolled.
  const fit = () => {
    for (const each of document.querySelectorAll(".wide,figure")) {
      if (each.scrollWidth > each.clientWidth) each.tabIndex = 0;
      else each.removeAttribute("tabindex");
    }
  };
  fit();
  addEventListener("resize", fit);
  addEventListener("toggle", fit, true);

  const unpacked = async (packed) => {
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return JSON.parse(await new Response(stream).text());
  };

  const STEP = 50;

  const everyAccount = (place, data) => {
    const { columns, ids, words } = data;
    const count = ids.length;
    const body = place.querySelector("tbody");
    const heads = place.querySelectorAll("thead th");
    const shown = columns.map((column) => column.at.map((at) => column.shown[at]));
    const text = ids.map((id, row) =>
      plain([id, ...shown.map((column) => column[row])].join(" ")));
    let order = [...ids.keys()];
    let found = order;
    let most = STEP;

    // The values of a pattern stand in the order of the accounts: where do each one's begin?
    const { patterns, values, shapes, of } = data.why;
    const used = patterns.map(() => 0);
    const begins = of.map((shape) => shapes[shape].map((under) =>
      under.map((pattern) => used[pattern]++)));

    const sentence = (pattern, turn, row) =>
      patterns[pattern].split("\u001f").reduce((said, part, at) => {
        const value = values[pattern][at - 1][turn];
        return said + (value === "\u001e" ? itself(row) : value) + part;
      });
    const itself = (row) =>
      ids[row] === shown[0][row] ? ids[row] : `${shown[0][row]} (${ids[row]})`;

    const why = (row) => {
      const box = made("div", "", { class: "why" });
      shapes[of[row]].forEach((under, at) => {
        if (!under.length) return;
        const list = made("ul");
        under.forEach((pattern, turn) =>
          list.append(made("li", sentence(pattern, begins[row][at][turn], row))));
        box.append(made("h4", data.heads[at]), list);
      });
      return box;
    };

    const line = (row) => {
      const element = made("tr");
      const head = made("th", "", { scope: "row" });
      const opens = made("button", shown[0][row],
        { type: "button", class: "opens", "aria-expanded": "false" });
      if (ids[row] !== shown[0][row]) opens.append(" ", made("span", ids[row], { class: "id" }));
      opens.addEventListener("click", () => {
        const isOpen = opens.getAttribute("aria-expanded") === "true";
        opens.setAttribute("aria-expanded", String(!isOpen));
        if (isOpen) return element.nextElementSibling.remove();
        const below = made("tr", "", { class: "below" });
        const cell = made("td", "", { colspan: columns.length });
        cell.append(why(row));
        below.append(cell);
        element.after(below);
      });
      head.append(opens);
      element.append(head);
      columns.forEach((column, at) => {
        if (!at) return;
        const kind = column.kinds[column.at[row]];
        element.append(made("td", shown[at][row], kind ? { class: kind } : {}));
      });
      return element;
    };

    const tools = made("div", "", { class: "tools", role: "search" });
    const search = made("input", "", {
      type: "search", id: "account-search", placeholder: words.hint, autocomplete: "off",
    });
    const field = made("div");
    field.append(made("label", words.search, { for: "account-search" }), search);
    tools.append(field);
    const choices = [];
    columns.forEach((column, at) => {
      if (!column.filter) return;
      const id = `choose-${at}`;
      const select = made("select", "", { id });
      select.append(made("option", words.all, { value: "" }));
      const values = [...column.shown.keys()];
      const key = (value) => column.keys ? column.keys[column.at.indexOf(value)] : null;
      values.sort((one, other) => ordered(key(one), key(other), 1)
        || compare(column.shown[one], column.shown[other]));
      for (const each of values) select.append(made("option", column.shown[each], { value: each }));
      const box = made("div");
      box.append(made("label", column.name, { for: id }), select);
      tools.append(box);
      choices.push([select, column]);
    });
    const told = made("p", "", { class: "found", "aria-live": "polite" });
    const more = made("button", words.more, { type: "button", class: "more" });

    const show = () => {
      body.replaceChildren(...found.slice(0, most).map(line));
      const upTo = Math.min(most, found.length);
      told.textContent = words.found.replace("@1", written.format(upTo))
        .replace("@2", written.format(found.length));
      more.hidden = found.length <= most;
      fit();
    };
    const look = () => {
      const wanted = plain(search.value).split(/\s+/).filter(Boolean);
      found = order.filter((row) => wanted.every((word) => text[row].includes(word))
        && choices.every(([select, column]) =>
          select.value === "" || column.at[row] === Number(select.value)));
      most = STEP;
      show();
    };
    search.addEventListener("input", look);
    for (const [select] of choices) select.addEventListener("change", look);
    more.addEventListener("click", () => {
      const before = most;
      most += 4 * STEP;
      show();
      body.rows[before]?.querySelector(".opens").focus();
    });
    heads.forEach((head, at) => sortable(head, (way) => {
      const keys = columns[at].keys ?? shown[at];
      order = [...Array(count).keys()].sort((one, other) =>
        ordered(keys[one], keys[other], way) || one - other);
      look();
    }));
    place.querySelector(".first").replaceWith(tools, told);
    place.append(more);
    look();
  };

  const packed = document.getElementById("packed");
  const place = document.getElementById("accounts");
  if (packed && place) {
    unpacked(packed.textContent).then((data) => everyAccount(place, data), () => {
      place.querySelector(".first").append(" ", place.dataset.old);
    });
  }
})();
