const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const SECONDS = 2.5, MISSING = 255;

// Draws the frames in data.motion: x and y of each joint of each body as bytes. A group of the svg is a body,
// the last one the first; its paths say which joints they draw.
function player(svg, data) {
  const bytes = Uint8Array.from(atob(data.motion), (letter) => letter.charCodeAt(0));
  const frames = +data.frames, bodies = +data.bodies, joints = bytes.length / (2 * frames * bodies) || 0;
  const groups = [...svg.querySelectorAll("g")].reverse().map((group) => [...group.children].map((path) =>
    ({ path, bones: path.dataset.bones, joints: (path.dataset.bones ?? path.dataset.joints).split(" ").map(Number) })));
  return (time) => {
    const frame = Math.min(frames - 1, Math.floor(time * frames));
    groups.forEach((group, body) => group.forEach(({ path, bones, joints: drawn }) => {
      const start = 2 * joints * (frame * bodies + body);
      const at = (joint) => `${bytes[start + 2 * joint]} ${bytes[start + 2 * joint + 1]}`;
      const seen = (joint) => bytes[start + 2 * joint] !== MISSING;
      let d = "";
      if (frames > 0 && body < bodies) {
        if (bones) for (let i = 0; i < drawn.length; i += 2) {
          if (seen(drawn[i]) && seen(drawn[i + 1])) d += `M${at(drawn[i])}L${at(drawn[i + 1])}`;
        } else for (const joint of drawn) if (seen(joint)) d += `M${at(joint)}h0`;
      }
      path.setAttribute("d", d);
    }));
  };
}

function loop(draw, seconds, playing, start = 0) {
  const begin = performance.now() - 1000 * seconds * start;
  requestAnimationFrame(function step(now) {
    if (!playing()) return;
    draw(Math.max(now - begin, 0) / 1000 / seconds % 1);
    requestAnimationFrame(step);
  });
}

// One button and one slider move all figures of a film together.
document.querySelectorAll(".film").forEach((film) => {
  const figures = [...film.querySelectorAll("svg[data-motion]")].map((svg) => player(svg, svg.dataset));
  const controls = film.querySelector(".controls"), seconds = +controls.dataset.seconds;
  const [button, slider, output] = controls.children;
  const count = +slider.max + 1;
  let run = 0;
  const show = (time) => {
    const frame = Math.min(count - 1, Math.floor(time * count));
    slider.value = frame;
    if (controls.dataset.fps) {
      output.textContent = `frame ${frame}, ${(frame / controls.dataset.fps).toFixed(2)} s`;
      slider.setAttribute("aria-valuetext", output.textContent);
    }
    figures.forEach((draw) => draw(time));
  };
  const play = (on) => {
    const mine = run = on ? Math.abs(run) + 1 : -Math.abs(run);
    button.textContent = on ? "Pause" : "Play";
    if (on) loop(show, seconds, () => run === mine, slider.value / count);
  };
  button.addEventListener("click", () => play(run <= 0));
  slider.addEventListener("input", () => {
    play(false);
    show((+slider.value + 0.5) / count);
  });
  controls.hidden = false;
  show(0);
  play(!still);
});

document.querySelectorAll(".embedding").forEach((plot) => {
  const points = plot.querySelector(".points"), hint = plot.querySelector(".hint");
  const preview = plot.querySelector(".preview"), search = plot.querySelector("input");
  const marks = [...points.querySelectorAll("g > *")], buttons = [...plot.querySelectorAll("button")];
  const titles = new Map(marks.map((mark) => [mark, mark.querySelector("title").textContent]));
  let shown = null;
  const show = (mark) => {
    if (!mark || mark === shown) return;
    shown = mark;
    hint.textContent = titles.get(mark);
    if (!preview) return;
    preview.classList.toggle("empty", !mark.dataset.motion);
    if (!mark.dataset.motion) return;
    const draw = player(preview, mark.dataset);
    draw(0.5);
    if (!still) loop(draw, SECONDS, () => shown === mark);
  };
  // Marks and classes that fit stay, the others fade; none chosen is all.
  const choose = (fits) => {
    points.classList.toggle("focus", Boolean(fits));
    const chosen = marks.filter((mark) => mark.classList.toggle("chosen", Boolean(fits && fits(mark))));
    show(chosen[0]);
    return chosen;
  };
  const ofClass = (mark) => mark.parentElement.dataset.class;
  points.addEventListener("pointerover", (event) => show(event.target.closest("circle, path")));
  buttons.forEach((button) => button.addEventListener("click", () => {
    const on = !button.classList.contains("chosen");
    search.value = "";
    buttons.forEach((other) => {
      other.hidden = false;
      other.classList.toggle("chosen", on && other === button);
    });
    choose(on && ((mark) => ofClass(mark) === button.dataset.class));
  }));
  search.addEventListener("input", () => {
    const words = search.value.trim().toLowerCase();
    const chosen = choose(words && ((mark) => titles.get(mark).toLowerCase().includes(words)));
    const kept = new Set(chosen.map(ofClass));
    buttons.forEach((button) => {
      button.classList.remove("chosen");
      button.hidden = Boolean(words) && !kept.has(button.dataset.class);
    });
    if (words && !chosen.length) hint.textContent = "Nothing found.";
  });
  search.hidden = false;
  show(points.querySelector("path") ?? marks[0]);
});

// The confusion matrix: the option of an order lists the classes, the size is in percent.
document.querySelectorAll(".confusion").forEach((figure) => {
  const svg = figure.querySelector("svg"), tools = figure.querySelector(".tools"), hint = figure.querySelector(".hint");
  const [left, top, cell] = [svg.dataset.left, svg.dataset.top, svg.dataset.cell].map(Number);
  const groups = [...svg.querySelectorAll("g")], width = svg.width.baseVal.value;
  tools.querySelector("select").addEventListener("change", (event) => {
    const order = event.target.value.split(" ").map(Number), place = [];
    order.forEach((index, position) => { place[index] = position; });
    groups.forEach((group) => {
      const { row, column } = group.dataset;
      const x = left + cell * (place[column] ?? 0), y = top + cell * (place[row] ?? order.length);
      group.setAttribute("transform", `translate(${x} ${y})`);
    });
  });
  tools.querySelector("input").addEventListener("input", (event) => {
    svg.style.width = `${width * event.target.value / 100}px`;
  });
  svg.addEventListener("pointerover", (event) => {
    const title = event.target.closest("g")?.querySelector("title");
    if (title) hint.textContent = title.textContent;
  });
  tools.hidden = false;
});
