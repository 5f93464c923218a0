/** The raster: a canvas for each layer, a column for each step, the newest at the right. */

const COLUMN = 5; // pixels of the page
const REMEMBERED = 400;
const HEIGHTS = [120, 120, 90, 70, 60];

export class Raster {
  constructor(element, oldest) {
    this.element = element;
    this.oldest = oldest;
    this.rows = [];
    new ResizeObserver(() => this.fit()).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
  }

  /** Rows for these layers, empty. */
  begin(layers) {
    this.history = [];
    this.rows = layers.map((layer, i) => {
      const row = document.createElement("div");
      const head = document.createElement("p");
      const name = document.createElement("span");
      const count = document.createElement("span");
      const canvas = document.createElement("canvas");
      name.textContent = `${layer.label}, ${layer.neurons.toLocaleString("en")} neurons`;
      count.className = "count";
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `Spikes of layer ${layer.label} over time`);
      canvas.style.height = `${HEIGHTS[Math.min(i, HEIGHTS.length - 1)]}px`;
      head.append(name, count);
      row.append(head, canvas);
      return { row, canvas, count, neurons: layer.neurons };
    });
    this.element.replaceChildren(...this.rows.map(({ row }) => row));
    this.fit();
  }

  /** A column: by layer, which neurons spike and how high; marked where the image has changed. */
  add(spikes, isMarked) {
    this.history.push({ spikes, isMarked });
    if (this.history.length > REMEMBERED) this.history.shift();
    this.rows.forEach((row, i) => {
      const total = spikes[i].neurons.length;
      row.count.textContent = `${total.toLocaleString("en")} ${total === 1 ? "spike" : "spikes"}`;
      const context = row.canvas.getContext("2d");
      const { width, height } = row.canvas;
      const column = this.column();
      context.globalCompositeOperation = "copy";
      context.drawImage(row.canvas, -column, 0);
      context.globalCompositeOperation = "source-over";
      context.clearRect(width - column, 0, column, height);
      this.draw(row, width - column, spikes[i], isMarked);
    });
  }

  column() {
    return Math.round(COLUMN * this.ratio);
  }

  draw({ canvas, neurons }, x, { neurons: which, sizes }, isMarked) {
    const context = canvas.getContext("2d");
    const column = this.column();
    const tall = Math.max(1, Math.round(this.ratio), canvas.height / neurons);
    if (isMarked) {
      context.fillStyle = this.colours.change;
      context.globalAlpha = 1;
      context.fillRect(x, 0, Math.max(1, Math.round(this.ratio)), canvas.height);
    }
    for (let i = 0; i < which.length; i++) {
      context.fillStyle = sizes[i] > 0 ? this.colours.up : this.colours.down;
      context.globalAlpha = Math.max(0.3, Math.min(1, 1 + Math.log2(Math.abs(sizes[i])) / 9)); // the finest are faint
      const y = Math.floor((which[i] / neurons) * canvas.height);
      context.fillRect(x + 1, Math.min(y, canvas.height - tall), Math.max(1, column - 1), tall);
    }
    context.globalAlpha = 1;
  }

  /** As many columns as there is room for. */
  fit() {
    this.ratio = Math.min(2, devicePixelRatio || 1);
    for (const { canvas } of this.rows) {
      canvas.width = Math.round(canvas.clientWidth * this.ratio);
      canvas.height = Math.round(canvas.clientHeight * this.ratio);
    }
    this.redraw();
  }

  redraw() {
    const style = getComputedStyle(this.element);
    this.colours = {
      up: style.getPropertyValue("--up"),
      down: style.getPropertyValue("--down"),
      change: style.getPropertyValue("--line"),
    };
    for (const [i, row] of this.rows.entries()) {
      const { width, height } = row.canvas;
      row.canvas.getContext("2d").clearRect(0, 0, width, height);
      const column = this.column();
      const columns = Math.ceil(width / column);
      if (i === 0) this.oldest.textContent = `${columns} steps ago`;
      this.history.slice(-columns).forEach(({ spikes, isMarked }, j, shown) => {
        this.draw(row, width - (shown.length - j) * column, spikes[i], isMarked);
      });
    }
  }
}
