"use strict";
// Draws the charts of a report with Plotly, from the numbers that the page carries. Names come from strangers' files: they reach the
// page as text only, and Plotly with its mark-up escaped.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const BLUE = "#0072b2", ORANGE = "#d55e00", GREEN = "#009e73", SKY = "#56b4e9", PINK = "#cc79a7", YELLOW = "#e69f00";
  const INK = "#1b2430", SOFT = "#55606e", LINE = "#dfe4ea";
  const COLOURS = [BLUE, ORANGE, GREEN, PINK, YELLOW, SKY];
  const isTouch = matchMedia("(pointer: coarse)").matches;
  const $ = (id) => document.getElementById(id);
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const short = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
  const called = (text, most) => { // frameworks join names with ";", and what tells one name from another stands at its end
    const first = text.split(";")[0] || text;
    return first.length > most ? `…${first.slice(1 - most)}` : first;
  };
  const digits = (value, count = 3) => (value === null || value === undefined ? "–" : Number(value.toPrecision(count)).toLocaleString("en"));
  const percent = (value) => (value === null || value === undefined ? "–" : `${digits(value)} %`);
  const range = (count) => Array.from({ length: count }, (_, index) => index);
  const axis = (title, more = {}) => ({
    title: { text: title, font: { size: 13, color: SOFT }, standoff: 8 }, gridcolor: LINE, zerolinecolor: LINE, linecolor: "#b9c2cc",
    automargin: true, tickfont: { size: 12, color: SOFT }, ...more,
  });
  const layoutOf = (x, y, more = {}) => ({
    font: { family: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif", size: 13, color: INK },
    margin: { l: 48, r: 14, t: 14, b: 44 }, paper_bgcolor: "#fff", plot_bgcolor: "#fff", hovermode: "closest", dragmode: isTouch ? false : "zoom",
    hoverlabel: { bgcolor: "#fff", bordercolor: "#b9c2cc", align: "left", font: { size: 13, color: INK } }, showlegend: false,
    legend: { orientation: "h", traceorder: "normal", x: 0, y: 1.02, yanchor: "bottom", font: { size: 12 } }, xaxis: x, yaxis: y, ...more,
  });
  const CONFIG = {
    displaylogo: false, responsive: true, modeBarButtonsToRemove: ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "pan2d"],
    displayModeBar: isTouch ? false : "hover",
  };
  const STILL = { staticPlot: true, responsive: false };
  const drawn = new Set();

  function draw(id, traces, layout, config = CONFIG) {
    const place = $(id);
    if (!place) return null;
    drawn.add(place);
    return Plotly.react(place, traces, layout, config);
  }

  function marks(values) { // ticks of a logarithmic axis: 1, 2, 5 of each decade that is there
    const known = values.filter((value) => value > 0);
    if (!known.length) return {};
    const low = Math.min(...known), high = Math.max(...known), ticks = [];
    for (let decade = Math.floor(Math.log10(low)) - 1; decade <= Math.ceil(Math.log10(high)); decade += 1) {
      for (const step of [1, 2, 5]) ticks.push(step * 10 ** decade);
    }
    const shown = ticks.filter((tick) => tick >= low / 2.2 && tick <= high * 2.2);
    const few = shown.length > 9 ? shown.filter((tick) => String(tick.toExponential()).startsWith("1")) : shown;
    return { type: "log", tickvals: few, ticktext: few.map((tick) => String(Number(tick.toPrecision(1)))) };
  }

  // Accuracy against energy ------------------------------------------------------------------------------------------------
  function drawFront() {
    const front = data.front;
    if (!front) return;
    const hover = (point, family) => [
      `<b>${plain(family)}</b>`, point.name, front.by_class ? `same class: ${percent(point.agreement)}` : null, `error of the outputs: ${percent(point.error)}`,
      `energy: ${percent(point.energy)}`, point.answer ? `answer after ${point.answer} steps` : null,
    ].filter(Boolean).join("<br>");
    const traces = front.families.map((family, index) => ({
      x: family.points.map((point) => point.energy), y: family.points.map((point) => point.lost), mode: "lines+markers+text", name: plain(family.name),
      line: { color: COLOURS[index % COLOURS.length], width: 2 }, marker: { size: 8, symbol: ["circle", "diamond", "square"][index % 3] },
      text: family.points.map((point, at) => (at ? String(point.J ?? point.T) : `${point.J === null ? "T" : "J"} = ${point.J ?? point.T}`)),
      textposition: index % 2 ? "bottom left" : "top right", textfont: { size: 11, color: COLOURS[index % COLOURS.length] },
      hovertext: family.points.map((point) => hover(point, family.name)), hoverinfo: "text", cliponaxis: true,
    }));
    const taken = front.taken, other = front.eight_bit;
    traces.push({
      x: [taken.energy], y: [taken.lost], mode: "markers", name: "chosen", marker: { size: 20, color: "rgba(0,0,0,0)", line: { color: INK, width: 2.5 } },
      hoverinfo: "skip",
    });
    if (other) {
      traces.push({
        x: [other.energy], y: [other.lost], mode: "markers", name: "8-bit network", marker: { size: 13, symbol: "star", color: INK },
        hovertext: [hover(other, other.name)], hoverinfo: "text",
      });
    }
    const lost = front.families.flatMap((family) => family.points.map((point) => point.lost)).filter((value) => value !== null);
    const most = Math.max(2, 2.5 * (front.limit ?? 0), 3 * (taken.lost ?? 0), 1.3 * ((other && other.lost) ?? 0));
    const top = Math.max(...lost) <= 1.5 * most ? Math.max(...lost) * 1.12 + 0.2 : most;
    const y = front.by_class ? { range: [-0.07 * top, top], ticksuffix: " %" } : { ...marks(lost), ticksuffix: "" };
    if (Math.max(...lost) > top && front.by_class) $("front-note").textContent = `Points that lose more lie above; a double ${isTouch ? "tap" : "click"} shows all. `;
    const energies = [...front.families.flatMap((family) => family.points.map((point) => point.energy)), other ? other.energy : null];
    draw("front", traces, layoutOf(
      axis("energy in % of the trained network's", marks(energies.filter((value) => value !== null))),
      axis(front.by_class ? "samples with another class" : "error of the outputs in %", y),
      { showlegend: true, shapes: limitLine(front.limit), height: 420 },
    ));
  }
  const limitLine = (limit) => (limit ? [{
    type: "line", xref: "paper", x0: 0, x1: 1, y0: limit, y1: limit, line: { color: SOFT, width: 1, dash: "dot" },
    label: { text: "wanted: below", textposition: "start", font: { size: 11, color: SOFT }, yanchor: "bottom" },
  }] : []);

  // Over T -------------------------------------------------------------------------------------------------------------------
  function drawOutputs() {
    const outputs = data.outputs;
    if (!outputs) return;
    const what = outputs.over === "T" ? "time steps T" : "exponent J of the finest spike";
    const ticks = outputs.x.length < 14 ? outputs.x : outputs.x.filter((value, index) => !(index % 2) || value === outputs.mark);
    const wide = Math.max(...outputs.x) > 16;
    const x = axis(what, { type: wide ? "log" : "linear", tickvals: ticks, ticktext: ticks.map(String) });
    const at = { type: "line", yref: "paper", y0: 0, y1: 1, x0: outputs.mark, x1: outputs.mark, line: { color: SOFT, width: 1, dash: "dot" } };
    const line = (values, name, colour, symbol) => ({
      x: outputs.x, y: values, name, mode: "lines+markers", line: { color: colour, width: 2 }, marker: { size: 8, symbol },
      hovertemplate: `${outputs.over} = %{x}<br>${name}: %{y:.2f} %<extra></extra>`,
    });
    const traces = [];
    if (outputs.agreement) traces.push(line(outputs.agreement, "same class as the trained network", BLUE, "circle"));
    if (outputs.accuracy) traces.push(line(outputs.accuracy, "accuracy", ORANGE, "diamond"));
    if (outputs.accuracy && outputs.trained !== null) {
      traces.push({
        x: [outputs.x[0], outputs.x.at(-1)], y: [outputs.trained, outputs.trained], name: "accuracy of the trained network", mode: "lines",
        line: { color: INK, width: 1.5, dash: "dash" }, hoverinfo: "skip",
      });
    }
    if (traces.length) {
      const low = Math.min(...traces.flatMap((trace) => trace.y).filter((value) => value !== null));
      const span = Math.max(100 - low, 4);
      const y = axis("samples in %", { range: [100 - span * 1.08, 100 + span * 0.05] });
      draw("classes", traces, layoutOf(x, y, { showlegend: true, shapes: [at], height: 340 }));
    } else if ($("classes")) $("classes").closest("figure").remove();
    if (outputs.error) {
      const y = axis("error in %", marks(outputs.error.filter((value) => value !== null)));
      draw("errors", [line(outputs.error, "error of the outputs", BLUE, "circle")], layoutOf(x, y, { shapes: [at], height: 340 }));
    } else if ($("errors")) $("errors").closest("figure").remove();
  }

  // The network ----------------------------------------------------------------------------------------------------------------
  const VIEWS = {
    error: { of: (layer) => layer.error, title: "error in %", text: (layer) => `error ${percent(layer.error)}` },
    rate: { of: (layer) => layer.rate, title: "spikes per neuron and step", text: (layer) => `${digits(layer.rate)} spikes/step` },
    share: { of: (layer) => layer.share, title: "share of the energy in %", text: (layer) => `${percent(layer.share)} of the energy` },
  };
  const SCALE = [[0, "#fde9c8"], [0.25, "#f7b267"], [0.5, "#e0664a"], [0.75, "#9c2f5f"], [1, "#3b1050"]];
  let view = "error", chosen = 0, sample = 0;

  function drawNetwork() {
    const { blocks, edges } = data.network, lanes = Math.max(0, ...edges.map((edge) => edge[2]));
    const left = (lane) => -Math.min(0.55, 1.7 / Math.max(lanes, 1)) * lane, rows = blocks.length;
    const x = [], y = [];
    for (const [first, last, lane] of edges) {
      if (lane) x.push(0, left(lane), left(lane), 0, null), y.push(first, first + 0.5, last - 0.5, last, null);
      else x.push(0, 0, null), y.push(first, last, null);
    }
    const look = VIEWS[view], values = blocks.map((block) => (block.layer === null ? null : look.of(data.layers[block.layer])));
    const known = values.filter((value) => value !== null);
    const low = Math.min(...known), high = Math.max(...known);
    const second = (block) => (block.layer === null ? block.what : `${block.what}, ${look.text(data.layers[block.layer])}`);
    const neurons = {
      x: blocks.map(() => 0), y: range(rows), mode: "markers", hoverinfo: "text",
      hovertext: blocks.map((block) => `<b>${plain(called(block.name, 60))}</b><br>${plain(second(block))}`),
      marker: {
        size: blocks.map((block) => (block.kind === "neurons" ? 20 : 15)), opacity: 1,
        symbol: blocks.map((block) => ({ neurons: "circle", analog: "diamond", input: "square", output: "square" })[block.kind]),
        color: blocks.map((block, index) => (values[index] === null ? (block.kind === "analog" ? "#aab4bf" : "#fff") : colourOf(values[index], low, high))),
        line: { color: blocks.map((block) => (block.layer === chosen ? BLUE : "#55606e")), width: blocks.map((block) => (block.layer === chosen ? 4 : 1.2)) },
      },
    };
    const scale = {
      x: [null], y: [null], mode: "markers", hoverinfo: "skip",
      marker: {
        color: [low], cmin: low, cmax: high > low ? high : low + 1e-9, colorscale: SCALE, showscale: known.length > 0,
        colorbar: { orientation: "h", thickness: 10, len: 0.9, x: 0.5, y: 1, yanchor: "bottom", ypad: 4, outlinewidth: 0, nticks: 5, title: { text: look.title, side: "top", font: { size: 12 } }, tickfont: { size: 11 } },
      },
    };
    const labels = blocks.map((block, index) => ({
      x: 0.32, y: index, xanchor: "left", yanchor: "middle", showarrow: false, align: "left", captureevents: block.layer !== null,
      text: `${block.layer === chosen ? "<b>" : ""}${plain(called(block.name, 27))}${block.layer === chosen ? "</b>" : ""}<br><span style="font-size:11px;color:${SOFT}">${plain(short(second(block), 44))}</span>`,
    }));
    const layout = layoutOf(
      { visible: false, range: [left(lanes) - 0.35, 4.6], fixedrange: true }, { visible: false, range: [rows - 0.4, -0.6], fixedrange: true },
      { height: 46 * rows + 76, margin: { l: 4, r: 4, t: 62, b: 6 }, annotations: labels, dragmode: false },
    );
    const links = { x, y, mode: "lines", line: { color: "#98a3af", width: 2 }, hoverinfo: "skip" };
    return draw("network", [links, neurons, scale], layout, { ...CONFIG, displayModeBar: false });
  }

  function colourOf(value, low, high) {
    const at = high > low ? (value - low) / (high - low) : 0;
    const next = SCALE.findIndex(([stop]) => stop >= at), [stop, colour] = SCALE[Math.max(next, 0)];
    if (next <= 0) return colour;
    const [before, other] = SCALE[next - 1], share = (at - before) / (stop - before);
    const part = (text, index) => parseInt(text.slice(1 + 2 * index, 3 + 2 * index), 16);
    return `rgb(${[0, 1, 2].map((index) => Math.round(part(other, index) * (1 - share) + part(colour, index) * share)).join(",")})`;
  }

  // One layer --------------------------------------------------------------------------------------------------------------------
  const bars = (histogram, colour, unit) => [{
    type: "bar", x: range(histogram.counts.length).map((index) => (histogram.edges[index] + histogram.edges[index + 1]) / 2), y: histogram.counts,
    width: range(histogram.counts.length).map((index) => histogram.edges[index + 1] - histogram.edges[index]), marker: { color: colour, line: { color: "#fff", width: 0.5 } },
    customdata: range(histogram.counts.length).map((index) => `${digits(histogram.edges[index])} to ${digits(histogram.edges[index + 1])}`),
    hovertemplate: `%{customdata}<br>%{y} ${unit}<extra></extra>`,
  }];

  function drawLayer() {
    const layer = data.layers[chosen];
    if (!layer) return;
    $("layer-name").textContent = layer.name;
    for (const select of document.querySelectorAll("select.layer")) select.value = String(chosen);
    const facts = [
      ["neurons", layer.neuron], ["in place of", layer.activation === "Identity" ? "a value" : layer.activation], ["channels", digits(layer.channels)], ["error", percent(layer.error)],
      ["spikes per neuron and step", digits(layer.rate)], ["spikes per synapse", digits(layer.per_synapse)], ["share of the energy", percent(layer.share)],
      ["synaptic operations a sample", digits(layer.operations)],
    ];
    $("facts").replaceChildren(...facts.map(([name, value]) => {
      const box = document.createElement("div"), dt = document.createElement("dt"), dd = document.createElement("dd");
      dt.textContent = name, dd.textContent = value, box.append(dt, dd);
      return box;
    }));
    $("fed").textContent = layer.fed.length ? `Its spikes reach ${layer.fed.map((name) => called(name, 60)).join(", ")}.${layer.reason ? ` ${layer.reason}.` : ""}` : "Its spikes reach no layer with weights.";
    if (!layer.thresholds) return;
    const height = 270, one = layer.thresholds.counts.length === 1;
    draw("thresholds", bars(layer.thresholds, BLUE, "channels"), layoutOf(
      axis("height of a spike, in the activation's unit"), axis("channels", Math.max(...layer.thresholds.counts) < 7 ? { dtick: 1 } : {}), { height, ...(one ? { bargap: 0.6 } : {}) },
    ));
    draw("rates", bars(layer.rates, GREEN, "neurons"), layoutOf(
      axis("spikes per neuron and step"), axis("neurons", { ...marks(layer.rates.counts) }), { height },
    ));
    drawDensity(layer.density, height);
    if (layer.errors.length) {
      const x = range(layer.errors.length).map((step) => step + 1);
      draw("layer-errors", [{
        x, y: layer.errors, mode: x.length < 40 ? "lines+markers" : "lines", line: { color: ORANGE, width: 2 }, marker: { size: 6 },
        hovertemplate: "after step %{x}: %{y:.3g} %<extra></extra>",
      }], layoutOf(axis("time step", { nticks: 8, tickformat: "d" }), axis("error in %", marks(layer.errors)), { height }));
    } else blank("layer-errors", layer.note ? "its spikes were not recorded" : "nothing to compare", height);
  }

  function drawDensity(density, height) {
    if (!density) return blank("density", "nothing was sent", height);
    const low = Math.min(density.x[0], density.y[0]), high = Math.max(density.x.at(-1), density.y.at(-1));
    return draw("density", [
      {
        type: "heatmap", x: density.x, y: density.y, z: density.counts.map((row) => row.map((count) => (count ? Math.log10(count) : null))),
        customdata: density.counts, colorscale: [[0, "#d6e6f2"], [0.5, "#4a90c2"], [1, "#08306b"]], showscale: false,
        hovertemplate: "activation %{x:.3g}, sent %{y:.3g}<br>%{customdata} values<extra></extra>",
      },
      { x: [low, high], y: [low, high], mode: "lines", line: { color: ORANGE, width: 1.2, dash: "dash" }, hoverinfo: "skip" },
    ], layoutOf(
      axis("activation of the trained network", { range: [density.x[0], density.x.at(-1)] }), axis("what was sent", { range: [density.y[0], density.y.at(-1)] }), { height },
    ));
  }

  function blank(id, text, height) {
    return draw(id, [], layoutOf({ visible: false }, { visible: false }, {
      height, annotations: [{ text: plain(short(text, 70)), x: 0.5, y: 0.5, xref: "paper", yref: "paper", showarrow: false, font: { color: SOFT } }],
    }));
  }

  // Spikes ---------------------------------------------------------------------------------------------------------------------
  const FEW_STEPS = 40, NAMES = data.code === "delta" ? ["the value goes up", "the value goes down"] : ["spikes", "taken back"];
  const size = (mark) => (data.code === "delta" ? Math.abs(mark[3]) : Math.abs(mark[2]));
  const hoverOf = (firing, mark) =>
    `neuron ${digits(firing.neurons[mark[1]], 9)}, step ${mark[0]}<br>${Math.abs(mark[2]) > 1 ? `${Math.abs(mark[2])} spikes, ` : ""}worth ${digits(mark[3])}`;
  const sides = (firing) => [1, -1].filter((sign) => sign === 1 || firing.marks.some((mark) => Math.sign(mark[2]) === sign));

  function cells(firing, largest) { // of few steps a spike is a cell, the darker the larger
    const rows = firing.neurons.length, empty = () => range(rows).map(() => Array(firing.steps).fill(null)), z = empty(), text = empty();
    for (const mark of firing.marks) {
      z[mark[1]][mark[0] - 1] = Math.sign(mark[2]) * (0.35 + 0.65 * Math.sqrt(largest ? size(mark) / largest : 1));
      text[mark[1]][mark[0] - 1] = hoverOf(firing, mark);
    }
    const legend = sides(firing).map((sign) => ({
      x: [null], y: [null], mode: "markers", name: NAMES[sign === 1 ? 0 : 1], marker: { symbol: "square", size: 11, color: sign === 1 ? BLUE : ORANGE },
    }));
    return [{
      type: "heatmap", x: range(firing.steps).map((step) => step + 1), y: range(rows), z, text, hovertemplate: "%{text}<extra></extra>", hoverongaps: false, xgap: firing.steps > 12 ? 1 : 3, ygap: 1.5,
      zmin: -1, zmax: 1, showscale: false, colorscale: [[0, "#a34700"], [0.33, "#f4c7a1"], [0.5, "#ffffff"], [0.67, "#a9cfe6"], [1, "#00507d"]],
    }, ...legend];
  }

  function ticks(firing, largest) { // of many, a mark, the thicker the more
    return sides(firing).map((sign) => {
      const those = firing.marks.filter((mark) => Math.sign(mark[2]) === sign), colour = sign === 1 ? BLUE : ORANGE;
      return {
        x: those.map((mark) => mark[0]), y: those.map((mark) => mark[1]), mode: "markers", name: NAMES[sign === 1 ? 0 : 1], hoverinfo: "text",
        marker: { symbol: "line-ns", size: 8, color: colour, line: { color: colour, width: those.map((mark) => 1.5 + (largest > 1 ? (3.5 * size(mark)) / largest : 1)) } },
        hovertext: those.map((mark) => hoverOf(firing, mark)),
      };
    });
  }

  function drawFiring() {
    if (!$("raster")) return;
    const layer = data.layers[chosen], firing = layer.firings && layer.firings[sample];
    if (!firing) {
      $("firing-note").textContent = layer.note;
      blank("raster", "no spikes to show", 240), blank("voltage", "", 120);
      return;
    }
    const largest = Math.max(...firing.marks.map(size), 0), rows = firing.neurons.length;
    const x = axis("time step", { range: [0.4, firing.steps + 0.6], nticks: 12, tickformat: "d", showgrid: false });
    const y = axis(`${rows} of ${firing.all.toLocaleString("en")} neurons`, { range: [rows - 0.4, -0.6], showticklabels: false, ticks: "", showgrid: false, zeroline: false });
    const few = firing.steps <= FEW_STEPS;
    draw("raster", few ? cells(firing, largest) : ticks(firing, largest), layoutOf(x, y, {
      height: 70 + Math.max(160, 11 * rows), showlegend: true, margin: { l: 60, r: 14, t: 24, b: 44 }, barmode: "overlay",
    }));
    const has = firing.followed.length && firing.followed[0].voltage;
    const traces = firing.followed.flatMap((one, index) => {
      const colour = COLOURS[index], name = `neuron ${digits(firing.neurons[one.row], 9)}`, steps = range(firing.steps).map((step) => step + 1);
      const line = {
        x: steps, y: has ? one.voltage : one.value, name, mode: firing.steps <= 40 ? "lines+markers" : "lines", line: { color: colour, width: 2, shape: has ? "linear" : "hv" },
        marker: { size: 5 }, hovertemplate: `${name}<br>step %{x}: %{y:.3g}<extra></extra>`,
      };
      if (has || one.wanted === undefined) return [line];
      return [line, { x: [0.5, firing.steps + 0.5], y: [one.wanted, one.wanted], mode: "lines", line: { color: colour, width: 1, dash: "dot" }, hoverinfo: "skip", showlegend: false }];
    });
    const threshold = has && firing.in_thresholds ? [{
      type: "line", xref: "paper", x0: 0, x1: 1, y0: 1, y1: 1, line: { color: SOFT, width: 1, dash: "dash" }, label: { text: "threshold", textposition: "end", font: { size: 11, color: SOFT }, yanchor: "bottom" },
    }] : [];
    const title = has ? (firing.in_thresholds ? "voltage in thresholds" : "membrane voltage") : "value sent so far";
    const values = has && firing.in_thresholds ? firing.followed.flatMap((one) => one.voltage) : [];
    const room = values.length ? { range: [Math.min(0, ...values) - 0.1, Math.max(1.2, ...values.map((value) => value + 0.1))] } : {};
    draw("voltage", traces, layoutOf({ ...x }, axis(title, room), { height: 290, showlegend: true, shapes: threshold, margin: { l: 60, r: 14, t: 24, b: 44 } }));
    $("firing-note").textContent =
      `${firing.fired.toLocaleString("en")} of ${firing.all.toLocaleString("en")} neurons spike on this sample; shown are ${rows} of these, the busiest on top. ` +
      (has ? "Below, the membrane voltage of three of them after each step." : "These neurons hold no voltage but the value that they have sent: below, that of three of them, dotted what the trained network has.");
  }

  function samplesToChoose() {
    const place = $("samples");
    if (!place) return;
    place.replaceChildren(...data.samples.map((one, index) => {
      const button = document.createElement("button"), text = document.createElement("span");
      button.type = "button", button.setAttribute("aria-pressed", String(index === sample));
      if (one.picture) {
        const thumb = document.createElement("span");
        thumb.className = "thumb", thumb.id = `thumb-${index}`, button.append(thumb);
      }
      const lines = [`Sample ${index + 1}`, one.label === null ? null : `label ${one.label}`, one.ann === null ? null : `trained network: ${one.ann}`, one.snn === null ? null : `spiking: ${one.snn}`];
      text.style.whiteSpace = "pre-line", text.textContent = lines.filter(Boolean).join("\n"), button.append(text);
      button.addEventListener("click", () => {
        sample = index;
        for (const other of place.children) other.setAttribute("aria-pressed", String(other === button));
        drawFiring();
      });
      return button;
    }));
    data.samples.forEach((one, index) => {
      if (!one.picture) return;
      const rows = one.picture.length, columns = one.picture[0].length, scale = 64 / Math.max(rows, columns);
      Plotly.newPlot(`thumb-${index}`, [{ type: "heatmap", z: one.picture, colorscale: "Greys", reversescale: false, showscale: false, zmin: 0, zmax: 1 }], {
        width: 64, height: 64, margin: { l: (64 - columns * scale) / 2, r: (64 - columns * scale) / 2, t: (64 - rows * scale) / 2, b: (64 - rows * scale) / 2 },
        xaxis: { visible: false }, yaxis: { visible: false, autorange: "reversed" },
      }, STILL);
    });
  }

  // Energy ---------------------------------------------------------------------------------------------------------------------
  const joule = (picojoule) => {
    const units = [[1e12, "J"], [1e9, "mJ"], [1e6, "µJ"], [1e3, "nJ"]], found = units.find(([size]) => picojoule >= size) ?? [1, "pJ"];
    return `${digits(picojoule / found[0])} ${found[1]}`;
  };
  const assumed = (name) => Math.max(0, Number($(`pj-${name}`).value) || 0);

  function drawEnergy() {
    const energy = data.energy, multiplyAdd = assumed("multiply_add"), addition = assumed("addition"), eight = assumed("eight_bit");
    const update = $("with-updates").checked ? assumed("update") : 0;
    const trained = energy.multiply_adds * multiplyAdd, spikes = energy.operations * addition, analog = energy.executed * multiplyAdd, neurons = energy.updates * update;
    const spiking = spikes + analog + neurons, dense = energy.multiply_adds * eight;
    const networks = ["trained, 32-bit floats"];
    if (energy.eight_bit) networks.push("8-bit integers", ...(energy.used === null ? [] : ["8-bit, skipping zeros"]));
    networks.push("spiking");
    const totals = { "trained, 32-bit floats": trained, "8-bit integers": dense, "8-bit, skipping zeros": dense * (energy.used ?? 1) };
    const scale = Math.max(trained, spiking, dense) || 1, unit = joule(scale).split(" ")[1], size = { J: 1e12, mJ: 1e9, "µJ": 1e6, nJ: 1e3, pJ: 1 }[unit];
    const bar = (name, values, colour) => ({
      type: "bar", orientation: "h", name, y: networks, x: values.map((value) => value / size), marker: { color: colour }, customdata: values.map(joule),
      hovertemplate: `%{y}<br>${name}: %{customdata}<extra></extra>`,
    });
    const last = networks.length - 1, onlyLast = (value) => networks.map((_, index) => (index === last ? value : 0));
    const traces = [bar("multiply-adds", networks.map((name) => totals[name] ?? 0).map((value, index) => (index === last ? analog : value)), "#98a3af"), bar("additions by spikes", onlyLast(spikes), BLUE)];
    if (update) traces.push(bar("updates of neurons", onlyLast(neurons), YELLOW));
    draw("energy", traces, layoutOf(axis(`energy a sample in ${unit}`), { automargin: true, autorange: "reversed", tickfont: { size: 13 }, fixedrange: true }, {
      barmode: "stack", height: 90 + 44 * networks.length, showlegend: true, bargap: 0.35,
    }));
    const times = dense ? spiking / dense : null;
    $("energy-says").textContent = trained
      ? `With these numbers the spiking network takes ${percent((100 * spiking) / trained)} of the trained network's energy` +
        (energy.eight_bit && times ? `, and ${times > 1 ? `${digits(times, 2)} times` : percent(100 * times) + " of"} that of the 8-bit network.` : ".")
      : "The trained network has no layer with weights.";
    const synapses = energy.multiply_adds - energy.by_layer.reduce((sum, layer) => sum + (layer.operations ? 0 : layer.multiply_adds), 0);
    $("break-even").textContent = addition && synapses
      ? `A spike is an addition at each synapse that it meets. Spikes win over 32-bit floats below ${digits(multiplyAdd / addition, 2)} spikes per synapse, and over 8-bit integers below ${digits(eight / addition, 2)}; this network sends ${digits(energy.operations / synapses, 2)}.`
      : "";
    const layers = energy.by_layer.filter((layer) => layer.multiply_adds);
    const labels = layers.map((layer) => plain(called(layer.name, 26)));
    const rows = range(layers.length), each = (name, values, colour, group) => ({
      type: "bar", orientation: "h", name, y: rows, x: values.map((value) => value / size), marker: { color: colour }, offsetgroup: group, customdata: values.map((value, index) => `${plain(called(layers[index].name, 60))}<br>${name}: ${joule(value)}`),
      hovertemplate: "%{customdata}<extra></extra>",
    });
    draw("energy-by-layer", [
      each("trained network", layers.map((layer) => layer.multiply_adds * multiplyAdd), "#c5ccd4", "a"),
      each("spiking: additions by spikes", layers.map((layer) => layer.operations * addition), BLUE, "b"),
      ...(layers.some((layer) => layer.executed) ? [{ ...each("spiking: multiply-adds", layers.map((layer) => layer.executed * multiplyAdd), "#55606e", "b"), base: layers.map((layer) => (layer.operations * addition) / size) }] : []),
    ], layoutOf(axis(`energy a sample in ${unit}`), { automargin: true, autorange: "reversed", tickvals: rows, ticktext: labels, tickfont: { size: 11 }, fixedrange: true }, {
      barmode: "group", height: 110 + 34 * layers.length, showlegend: true, bargap: 0.25,
    }));
  }

  const PRESETS = { floats: energyOf({}), integers: energyOf({ multiply_add: 4.6, addition: 0.1, eight_bit: 0.3, update: 0.3 }) };
  function energyOf(changes) { return { ...data.energy.assumed, ...changes }; }

  function assumptions() {
    if (!$("pj-addition")) return;
    for (const name of Object.keys(data.energy.assumed)) $(`pj-${name}`).addEventListener("input", drawEnergy);
    $("with-updates").addEventListener("change", drawEnergy);
    for (const button of document.querySelectorAll("button[data-preset]")) {
      button.addEventListener("click", () => {
        for (const [name, value] of Object.entries(PRESETS[button.dataset.preset])) $(`pj-${name}`).value = value;
        drawEnergy();
      });
    }
  }

  // Together -------------------------------------------------------------------------------------------------------------------
  function choose(index) {
    if (index === null || index === undefined) return;
    chosen = index;
    drawNetwork(), drawLayer(), drawFiring();
  }

  function listen() {
    $("network").on("plotly_click", (event) => choose(event.points[0].curveNumber === 1 ? data.network.blocks[event.points[0].pointNumber].layer : null));
    $("network").on("plotly_clickannotation", (event) => choose(data.network.blocks[event.index].layer));
    for (const select of document.querySelectorAll("select.layer")) {
      select.replaceChildren(...data.layers.map((layer, index) => new Option(called(layer.name, 60), String(index))));
      select.addEventListener("change", () => choose(Number(select.value)));
    }
    for (const button of document.querySelectorAll("button[data-view]")) {
      button.addEventListener("click", () => {
        view = button.dataset.view;
        for (const other of document.querySelectorAll("button[data-view]")) other.setAttribute("aria-pressed", String(other === button));
        drawNetwork();
      });
    }
    addEventListener("beforeprint", () => fit(true));
    addEventListener("afterprint", () => fit(false));
  }

  function fit(isPrint) { // paper is as wide as a narrow window
    for (const place of drawn) {
      const half = place.closest(".pair, .charts") !== null;
      Plotly.relayout(place, isPrint ? { width: half ? 320 : 660, autosize: false } : { width: null, autosize: true });
    }
    for (const each of document.querySelectorAll("details")) each.open = isPrint || each.dataset.was === "open";
  }

  const worst = data.layers.reduce((best, layer, index) => ((layer.error ?? 0) > (data.layers[best].error ?? 0) ? index : best), 0);
  chosen = worst;
  drawFront(), drawOutputs(), drawNetwork();
  listen();
  const later = [drawLayer, samplesToChoose, drawFiring, assumptions, drawEnergy];
  const next = () => {
    const one = later.shift();
    if (!one) return void (document.documentElement.dataset.ready = "yes");
    one();
    return setTimeout(next);
  };
  addEventListener("load", () => setTimeout(next)); // the top of the page is there first
})();
