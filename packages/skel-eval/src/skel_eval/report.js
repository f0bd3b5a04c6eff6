const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
const SECONDS = 2.5, MISSING = 255;

// Draws a frame of the bytes in data-motion: x and y of each joint of each body.
function player(svg, data) {
  const bytes = Uint8Array.from(atob(data.motion), (letter) => letter.charCodeAt(0));
  const bodies = +data.bodies, numbers = svg.dataset.bones.split(" ").filter(Boolean).map(Number);
  const joints = +svg.dataset.joints, frames = bytes.length / (2 * joints * bodies || 1);
  while (svg.childElementCount < 2 * bodies) {
    const path = document.createElementNS(svg.namespaceURI, "path");
    if (svg.childElementCount % 2) path.classList.add("joint");
    svg.append(path);
  }
  return (time) => {
    const frame = Math.min(frames - 1, Math.floor(time * frames));
    [...svg.children].forEach((path, index) => {
      const start = 2 * joints * (frame * bodies + (index >> 1));
      const at = (joint) => `${bytes[start + 2 * joint]} ${bytes[start + 2 * joint + 1]}`;
      const seen = (joint) => bytes[start + 2 * joint] !== MISSING;
      let d = "";
      if (frames < 1 || index >= 2 * bodies) d = "";
      else if (index % 2) for (let joint = 0; joint < joints; joint++) d += seen(joint) ? `M${at(joint)}h0` : "";
      else for (let i = 0; i < numbers.length; i += 2) {
        const [a, b] = [numbers[i], numbers[i + 1]];
        if (seen(a) && seen(b)) d += `M${at(a)}L${at(b)}`;
      }
      path.setAttribute("d", d);
    });
  };
}

function loop(draw, playing) {
  requestAnimationFrame(function step(now) {
    if (!playing()) return;
    draw((now / 1000 / SECONDS) % 1);
    requestAnimationFrame(step);
  });
}

document.querySelectorAll("section:has(.confused)").forEach((section) => {
  const figures = [...section.querySelectorAll("svg[data-motion]")].map((svg) => player(svg, svg.dataset));
  const button = section.querySelector(".play");
  let on = false;
  const play = (wanted) => {
    on = wanted;
    button.textContent = on ? "Pause" : "Play";
    if (on) loop((time) => figures.forEach((draw) => draw(time)), () => on);
  };
  button.hidden = false;
  button.addEventListener("click", () => play(!on));
  play(!still);
});

document.querySelectorAll(".embedding").forEach((plot) => {
  const points = plot.querySelector(".points"), told = plot.querySelector(".told");
  const preview = plot.querySelector(".preview");
  let shown = null;
  told.textContent = `Hover over a point to see its ${preview ? "clip" : "name"}.`;
  points.addEventListener("pointerover", (event) => {
    const mark = event.target.closest("circle, path");
    if (!mark || mark === shown) return;
    shown = mark;
    told.textContent = mark.querySelector("title").textContent;
    if (!preview) return;
    preview.classList.toggle("empty", !mark.dataset.motion);
    if (!mark.dataset.motion) return;
    const draw = player(preview, mark.dataset);
    draw(0.5);
    if (!still) loop(draw, () => shown === mark);
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
