// What goes on inside the model on what was read so far: the views of an inspection, drawn from the server's answer.
views.inside = (place, _, cursor) => {
  const said = element("p", { role: "status" });
  const shown = element("div");
  let [looks, groups] = [0, new Set()];
  const forget = () => {
    for (const group of groups) cursors.delete(group);
    groups = new Set();
    shown.replaceChildren();
  };
  async function look() {
    const { asking, model, xs } = cursor.read?.() ?? { xs: [] };
    if (!xs.length) { said.textContent = "nothing is read yet"; return; }
    said.textContent = "looking …";
    try {
      const told = await asking.json(`/v1/inside?model=${encodeURIComponent(model)}`, { xs });
      const buffer = await unzipped([bytesOf(told.blob)]);
      const arrays = told.arrays.map((what) => new Numbers(what, buffer));
      forget();
      looks += 1;
      shown.innerHTML = told.html; // made by our own server, its words escaped
      for (const part of shown.querySelectorAll("[data-view]")) {
        const { view, group, first, title, data } = told.views[+part.dataset.view];
        const name = `${group} ${looks}`;
        groups.add(name);
        cursorOf(name).first ||= first;
        views[view](part, filled(data, arrays), cursorOf(name), title);
      }
      said.textContent = "";
    } catch (error) { said.textContent = error.message; }
  }
  place.append(element("button", { type: "button", onclick: look }, "Look inside"), said, shown);
};
