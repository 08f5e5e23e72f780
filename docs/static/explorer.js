// Every .distill-explorer carries all its pictures; its controls choose one. Without this script the first one stays.
for (const figure of document.querySelectorAll(".distill-explorer")) {
  const [form, picture, sentence] = ["form", ".picture", "figcaption"].map(name => figure.querySelector(name));
  const controls = [...form.querySelectorAll("input, select")];
  let data;  // read at the first move: a page opens without it

  const show = () => {
    data ??= JSON.parse(figure.querySelector("script").textContent);
    let frame = 0;
    for (const control of controls) {
      const stops = control.dataset.stops?.split("|");
      const place = stops ? Number(control.value) : control.selectedIndex;
      frame = frame * (stops ?? control.options).length + place;
      if (stops) {
        control.nextElementSibling.value = stops[place];
        control.setAttribute("aria-valuetext", stops[place]);
      }
    }
    picture.innerHTML = data.frames[frame].map(number => data.lines[number]).join("");
    picture.setAttribute("aria-label", data.words[frame]);
    sentence.textContent = data.words[frame];
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", event => event.preventDefault());
  form.hidden = false;
}
