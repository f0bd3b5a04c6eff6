document.querySelectorAll(".embedding").forEach((plot) => {
  const points = plot.querySelector(".points");
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
