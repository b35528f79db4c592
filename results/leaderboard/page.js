"use strict";
(() => {
  const find = (id) => document.getElementById(id);
  const data = JSON.parse(find("data").textContent);
  const table = find("table");
  const details = find("details");
  const state = { board: 0, tasks: new Set(), fractions: new Set(), search: "", ranks: false, key: "rank", best: true };

  const element = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const board = () => data.boards[state.board];
  const decimals = (value, digits) => value.toFixed(digits);

  // What is shown
  const columns = () => board().columns.map((column, position) => ({ ...column, position })).filter((column) =>
    (!state.tasks.size || state.tasks.has(column.task)) && (!state.fractions.size || state.fractions.has(column.fraction)));

  const valueOf = (row) => {
    if (state.key === "name") return row.name;
    if (state.key === "rank") return row.average;
    if (state.key === "group") return row.group || null;
    const cell = row.cells[state.key];
    return cell === null ? null : state.ranks ? cell.rank : cell.mean;
  };
  const bestIsHigh = () => typeof state.key === "number" && !state.ranks && board().columns[state.key].higher;
  const ascending = () => state.best !== bestIsHigh();

  const rows = () => {
    const wanted = state.search.trim().toLowerCase();
    const kept = board().rows.filter((row) => row.name.toLowerCase().includes(wanted));
    const sign = ascending() ? 1 : -1;
    const compared = (a, b) => (typeof a === "string" ? (a < b ? -1 : a > b ? 1 : 0) : a - b);
    // What has no value comes last in both directions; equal values keep the order of the ranks.
    return kept.map((row) => [valueOf(row), row]).sort(([a], [b]) =>
      a === null || b === null ? (a === null) - (b === null) : sign * compared(a, b)).map(([, row]) => row);
  };

  // Headings
  const heading = (key, words, spoken, properties = {}) => {
    const button = element("button", { type: "button", onclick: () => sortBy(key) }, element("span", {}, ...words));
    if (spoken) button.setAttribute("aria-label", spoken);
    const cell = element("th", { scope: "col", ...properties }, button);
    cell.dataset.key = key;
    if (state.key === key) cell.setAttribute("aria-sort", ascending() ? "ascending" : "descending");
    return cell;
  };

  const drawHead = (shown) => {
    const above = element("tr", {}, heading("name", ["Encoder"], "", { rowSpan: 2, className: "encoder" }));
    above.append(heading("rank", [element("span", { className: "long" }, "Average "), "rank"], "Average rank",
      { rowSpan: 2, className: "standing capital" }));
    if (board().tested) above.append(heading("group", ["Group"], "", { rowSpan: 2, className: "standing long" }));
    const below = element("tr");
    shown.forEach((column, place) => {
      const first = place === 0 || shown[place - 1].block !== column.block;
      if (first) {
        const span = shown.filter((other) => other.block === column.block).length;
        const direction = column.higher ? "" : ", lower is better";
        above.append(element("th", { scope: "colgroup", colSpan: span, className: "block first", title: column.title },
          column.block, element("span", { className: "metric" }, column.metric + direction)));
      }
      const spoken = `${column.block}, ${column.fraction} % of the training data, ${column.metric}`;
      const cell = heading(column.position, [`${column.fraction} %`], spoken, { className: first ? "first" : "" });
      cell.append(element("span", { className: "metric" }, `n = ${column.replicates}`));
      below.append(cell);
    });
    table.tHead.replaceChildren(above, below);
  };

  // Cells
  const standing = (row) => {
    const cell = element("td", { className: "standing" });
    if (row.average === null) {
      const words = row.missing.length ? "incomplete" : "not ranked";
      cell.append(element("span", { className: "pill" }, words));
      return cell;
    }
    cell.append(element("span", { className: "number" }, decimals(row.average, 2)));
    const last = board().ranked;
    const at = (rank) => `${last > 1 ? (100 * (rank - 1)) / (last - 1) : 0}%`;
    const track = element("span", { className: "track" });
    track.setAttribute("aria-hidden", "true");
    if (row.low !== null) {
      const bar = element("span", { className: "bar" });
      bar.style.left = at(row.low);
      bar.style.right = `calc(100% - ${at(row.high)})`;
      track.append(bar);
      cell.append(element("span", { className: "hidden" }, `, ranks ${row.low} to ${row.high}`));
    }
    const dot = element("span", { className: "dot" });
    dot.style.left = at(row.average);
    track.append(dot);
    cell.append(track);
    if (row.group) cell.append(element("span", { className: "letters short" }, row.group));
    if (row.contaminated) cell.append(mark());
    if (row.unverified) cell.append(mark("‖", "unverified weights"));
    return cell;
  };

  const mark = (shown = "C", words = "contaminated") => {
    const letter = element("span", { className: "mark" }, shown);
    letter.setAttribute("aria-hidden", "true");
    return element("span", {}, letter, element("span", { className: "hidden" }, `, ${words}`));
  };

  const score = (cell, column) => {
    const shown = element("td");
    if (cell === null) {
      shown.append(element("span", { className: "nothing" }, "–", element("span", { className: "hidden" }, "not run")));
      return shown;
    }
    const written = state.ranks ? cell.rank : cell.mean;
    if (written === null) {
      shown.append(element("span", { className: "nothing" }, state.ranks ? "–" : "undefined"));
    } else {
      const place = state.ranks ? cell.rank : cell.place;
      const emphasis = place === 1 ? " best" : place === 2 ? " second" : "";
      shown.append(element("span", { className: `mean${emphasis}` }, state.ranks ? String(written) : decimals(written, 3)));
    }
    if (cell.contaminated) shown.append(mark());
    else if (board().rows.some((row) => row.cells[column.position] && row.cells[column.position].contaminated)) {
      // Room for the mark that others of the column have, so that numbers stand below each other.
      shown.append(element("span", { className: "mark room" }));
    }
    if (cell.leftOut) shown.append(mark("¶", `${cell.leftOut} images left out`));
    if (cell.unverified) shown.append(mark("‖", "unverified weights"));
    if (!state.ranks && cell.sd !== null) shown.append(" ", element("span", { className: "sd" }, `± ${decimals(cell.sd, 3)}`));
    if (!state.ranks && cell.mean !== null && !cell.complete) {
      shown.append(element("span", { className: "count" }, `${cell.defined} of ${column.replicates}`));
    }
    return shown;
  };

  const drawBody = (shown) => {
    const found = rows();
    table.tBodies[0].replaceChildren(...found.map((row) => {
      // A long name may break after an underscore.
      const parts = row.name.split(/(?<=_)/).flatMap((part) => [part, element("wbr")]);
      const name = element("th", { scope: "row", className: "encoder" }, ...parts);
      const line = element("tr", {}, name, standing(row));
      if (board().tested) line.append(element("td", { className: "standing letters long" }, row.group || ""));
      shown.forEach((column, place) => {
        const cell = score(row.cells[column.position], column);
        if (place === 0 || shown[place - 1].block !== column.block) cell.classList.add("first");
        cell.dataset.column = column.position;
        line.append(cell);
      });
      line.dataset.row = board().rows.indexOf(row);
      for (const cell of line.cells) cell.tabIndex = -1;
      return line;
    }));
    const start = table.tBodies[0].rows[0];
    if (start) start.cells[0].tabIndex = 0;
    find("empty").hidden = found.length > 0;
    find("status").textContent = `${found.length} of ${board().rows.length} encoders, ${shown.length} columns`;
  };

  const draw = () => {
    hide();
    const shown = columns();
    table.classList.toggle("no-sd", find("show-sd").getAttribute("aria-pressed") === "false");
    drawHead(shown);
    drawBody(shown);
    // The second row of headings sticks below the first.
    table.style.setProperty("--first-row", `${table.tHead.rows[1].offsetTop}px`);
  };

  const sortBy = (key) => {
    state.best = state.key === key ? !state.best : true;
    state.key = key;
    draw();
    table.tHead.querySelector(`[data-key="${key}"] button`).focus();
  };

  // Details of a cell, on hover, on focus and on touch
  const lines = (pairs) => element("dl", {}, ...pairs.filter(([, value]) => value !== "" && value !== null).flatMap(
    ([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));

  const aboutCell = (row, column, cell) => {
    const made = [element("h3", {}, `${row.name}, ${column.block} ${column.fraction} %`)];
    if (cell === null) return [...made, lines([["", "Not run"], ["Settings", column.settings]])];
    const spread = cell.sd === null ? "" : ` ± ${decimals(cell.sd, 4)}`;
    const count = cell.defined === cell.replicates ? `${cell.replicates}` : `${cell.defined} of ${cell.replicates} have a value`;
    made.push(lines([
      [column.metric, cell.mean === null ? "undefined" : decimals(cell.mean, 4) + spread],
      ["Replicates", cell.complete || !column.replicates ? count : `${count}; others have ${column.replicates}`],
      ["Rank here", cell.rank === null ? "none" : `${cell.rank} of ${board().ranked}`],
      ["Dataset", column.dataset + (board().synthetic ? " (synthetic phantom)" : "")],
      ["Settings", column.settings], ["Weights", row.weights],
    ]));
    if (cell.contaminated) made.push(element("p", {}, `Contaminated: images of ${column.dataset} were used in pretraining.`));
    if (cell.leftOut) made.push(element("p", {}, `Images of ${column.dataset} left out (--skip-unreadable): ${cell.leftOut}.`));
    if (cell.unverified) made.push(element("p", {}, "Unverified weights: the file of the encoder is not the published one."));
    const notes = cell.notes.map((number) => board().texts[number]);
    for (const note of notes.slice(0, 3)) made.push(element("p", {}, note));
    if (notes.length > 3) made.push(element("p", {}, `and ${notes.length - 3} more notes: see record.json`));
    return made;
  };

  const aboutEncoder = (row) => {
    const rank = row.average === null ? "none" : decimals(row.average, 2);
    const interval = row.low === null ? "" : `${row.low} to ${row.high} of ${board().ranked}`;
    const made = [element("h3", {}, row.name)];
    made.push(lines([["Average rank", rank], ["Rank interval", interval], ["Weights", row.weights]]));
    if (row.missing.length) made.push(element("p", {}, `Has no rank; it lacks ${row.missing.slice(0, 6).join(", ")}${
      row.missing.length > 6 ? ` and ${row.missing.length - 6} more` : ""}.`));
    return made;
  };

  const show = (target) => {
    const cell = target.closest("tbody th, tbody td");
    if (!cell) return hide();
    const row = board().rows[cell.parentNode.dataset.row];
    const position = cell.dataset.column;
    details.replaceChildren(...(position === undefined ? aboutEncoder(row)
      : aboutCell(row, board().columns[position], row.cells[position])));
    for (const other of table.querySelectorAll("[aria-describedby]")) other.removeAttribute("aria-describedby");
    cell.setAttribute("aria-describedby", "details");
    details.hidden = false;
    const at = cell.getBoundingClientRect();
    const size = details.getBoundingClientRect();
    const left = Math.min(Math.max(12, at.left), document.documentElement.clientWidth - size.width - 12);
    const below = at.bottom + 6 + size.height < window.innerHeight;
    details.style.left = `${left}px`;
    details.style.top = `${below ? at.bottom + 6 : Math.max(6, at.top - size.height - 6)}px`;
  };
  const hide = () => { details.hidden = true; };

  const body = table.tBodies[0];
  body.addEventListener("mouseover", (event) => show(event.target));
  body.addEventListener("mouseleave", hide);
  body.addEventListener("focusin", (event) => show(event.target));
  body.addEventListener("focusout", hide);
  body.addEventListener("click", (event) => event.target.closest("td, th").focus({ preventScroll: true }));
  find("scroll").addEventListener("scroll", () => {
    if (body.contains(document.activeElement)) show(document.activeElement);
    else hide();
  }, { passive: true });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  body.addEventListener("keydown", (event) => {
    const cell = event.target.closest("td, th");
    const step = steps[event.key];
    if (!cell || !step) return;
    const line = body.rows[cell.parentNode.sectionRowIndex + step[0]];
    const next = line && line.cells[cell.cellIndex + step[1]];
    if (!next) return;
    event.preventDefault();
    cell.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });

  // Controls
  const chips = (id, values, words, chosen) => {
    const place = find(id);
    const all = element("button", { type: "button", onclick: () => { chosen.clear(); pressed(); draw(); } }, "All");
    const made = values.map((value) => element("button", { type: "button", onclick: () => {
      if (!chosen.delete(value)) chosen.add(value);
      pressed();
      draw();
    } }, words(value)));
    const pressed = () => {
      all.setAttribute("aria-pressed", String(!chosen.size));
      made.forEach((button, number) => button.setAttribute("aria-pressed", String(chosen.has(values[number]))));
    };
    place.replaceChildren(all, ...made);
    find(`${id}-choice`).hidden = values.length < 2;
    pressed();
  };

  const choose = (number) => {
    Object.assign(state, { board: number, key: "rank", best: true });
    state.tasks.clear();
    state.fractions.clear();
    const one = board();
    const tasks = [...new Set(one.columns.map((column) => column.task))];
    const fractions = [...new Set(one.columns.map((column) => column.fraction))].sort((a, b) => a - b);
    chips("tasks", tasks, (task) => task, state.tasks);
    chips("fractions", fractions, (fraction) => `${fraction} %`, state.fractions);
    [...find("boards").children].forEach((button, place) => button.setAttribute("aria-pressed", String(place === number)));
    find("banner").hidden = !one.synthetic;
    const counted = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
    const summary = `${one.words}, ${one.synthetic ? "synthetic phantom data" : "real data"}: ${
      counted(one.rows.length, "encoder")} on ${counted(tasks.length, "task")}`;
    find("summary").textContent = summary;
    find("caption").textContent = summary;
    find("reading").textContent = one.reading;
    find("notes").replaceChildren(...one.notes.map((note) => element("li", {}, note)));
    draw();
  };

  find("boards").replaceChildren(...data.boards.map((one, number) => {
    const button = element("button", { type: "button", onclick: () => choose(number) }, one.words);
    if (one.synthetic) button.append(", synthetic");
    return button;
  }));
  find("boards-choice").hidden = data.boards.length < 2;
  find("search").addEventListener("input", (event) => { state.search = event.target.value; draw(); });
  const toggle = (id, then) => find(id).addEventListener("click", () => {
    const now = find(id).getAttribute("aria-pressed") !== "true";
    find(id).setAttribute("aria-pressed", String(now));
    then(now);
    draw();
  });
  toggle("show-sd", () => {});
  toggle("show-ranks", (now) => { state.ranks = now; });

  const themed = (dark) => {
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    find("theme").textContent = dark ? "Light mode" : "Dark mode";
  };
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  themed(dark.matches);
  dark.addEventListener("change", (event) => themed(event.matches));
  find("theme").addEventListener("click", () => themed(document.documentElement.dataset.theme !== "dark"));

  find("download").addEventListener("click", () => {
    const address = URL.createObjectURL(new Blob([data.csv], { type: "text/csv" }));
    element("a", { href: address, download: "leaderboard.csv" }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  });

  find("filters").open = window.matchMedia("(min-width: 641px)").matches;
  choose(0);
})();
