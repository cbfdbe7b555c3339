// Draws each table of counts on the page as lines, and again when htmx has brought the page anew.
// What is drawn stands in the table: without scripts, or by ear, nothing is missing.
"use strict";

(() => {
  const drawn = new Map();

  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const lines = ["--accent", "--quarantined", "--refused", "--good", "--warn", "--soft"];

  function read(table) {
    const names = [...table.tHead.rows[0].cells].slice(1).map((cell) => cell.textContent);
    const rows = [...table.tBodies[0].rows];
    const times = rows.map((row) => Date.parse(row.querySelector("time").dateTime) / 1000);
    const counts = names.map((_, at) => rows.map((row) => Number(row.cells[at + 1].dataset.count)));
    // The page's clock is the console's, wherever the browser stands.
    const shown = rows[0].querySelector("time").textContent.replace(" ", "T");
    const ahead = Date.parse(`${shown}Z`) / 1000 - times[0];
    return { names, ahead, data: [times, ...counts] };
  }

  const day = 86400;
  const step = day / 8;

  function draw(figure) {
    const { names, ahead, data } = read(figure.querySelector("table"));
    const place = figure.querySelector(".plot");
    const known = drawn.get(figure.id);
    if (known) known.destroy();
    const grid = { stroke: colour("--line"), width: 1 };
    const axis = { stroke: colour("--soft"), grid, ticks: grid };
    const clock = {
      ...axis,
      splits: (_, __, least, most) => {
        const first = Math.ceil((least + ahead) / step) * step - ahead;
        const count = Math.floor((most - first) / step) + 1;
        return Array.from({ length: count }, (_, at) => first + at * step);
      },
      values: (_, splits) =>
        splits.map((at) => new Date((at + ahead) * 1000).toISOString().slice(11, 16)),
    };
    const last = data[0][data[0].length - 1];
    const single = data[0].length < 3;
    const series = names.map((label, at) => {
      const stroke = colour(lines[at % lines.length]);
      return { label, stroke, width: 2, points: { show: single, fill: stroke } };
    });
    const plot = new uPlot({
      width: Math.max(240, place.clientWidth),
      height: 180,
      cursor: { show: false },
      legend: { live: false },
      scales: {
        x: { time: false, range: () => [last - day, last + 1800] },
        y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] },
      },
      axes: [clock, { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 1e4, 1e5, 1e6] }],
      series: [{}, ...series],
    }, data, place);
    drawn.set(figure.id, plot);
  }

  const all = () => document.querySelectorAll("figure.chart").forEach(draw);

  // A table that somebody has opened stays open.
  let opened = [];
  document.addEventListener("htmx:beforeSwap", () => {
    opened = [...document.querySelectorAll("details[open]")].map((details) => details.id);
  });
  document.addEventListener("htmx:afterSettle", () => {
    opened.map((id) => document.getElementById(id)).forEach((details) => {
      if (details) details.open = true;
    });
    all();
  });

  document.addEventListener("DOMContentLoaded", all);
  addEventListener("resize", all);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
})();
