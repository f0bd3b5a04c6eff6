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
  const preview = plot.querySelector(".preview");
  let shown = null;
  hint.textContent = `Hover over a point to see its ${preview ? "clip" : "name"}.`;
  points.addEventListener("pointerover", (event) => {
    const mark = event.target.closest("circle, path");
    if (!mark || mark === shown) return;
    shown = mark;
    hint.textContent = mark.querySelector("title").textContent;
    if (!preview) return;
    preview.classList.toggle("empty", !mark.dataset.motion);
    if (!mark.dataset.motion) return;
    const draw = player(preview, mark.dataset);
    draw(0.5);
    if (!still) loop(draw, SECONDS, () => shown === mark);
  });
  plot.querySelectorAll("button").forEach((button) => {
    button.addEventListener("click", () => {
      const chosen = !button.classList.contains("chosen");
      plot.querySelectorAll(".chosen").forEach((element) => element.classList.remove("chosen"));
      points.classList.toggle("focus", chosen);
      if (chosen) {
        plot.querySelectorAll(`[data-class="${button.dataset.class}"]`).forEach((e) => e.classList.add("chosen"));
      }
    });
  });
});
