// Draw each view into its place. `views` holds a function for each, which the parts above have added.
async function start() {
  const buffer = page.arrays.length ? await unpacked() : new ArrayBuffer(0);
  const arrays = page.arrays.map((what) => new Numbers(what, buffer));
  page.drawn = page.views.map((one) => ({ ...one, data: filled(one.data, arrays) }));
  for (const place of document.querySelectorAll("[data-view]")) {
    const { view, group, first, title, data } = page.drawn[+place.dataset.view];
    const cursor = cursorOf(group);
    cursor.first ||= first;
    views[view](place, data, cursor, title);
  }
  const again = () => { for (const cursor of cursors.values()) cursor.tell("all"); };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  let resized = 0;
  addEventListener("resize", () => { cancelAnimationFrame(resized); resized = requestAnimationFrame(again); });
  document.addEventListener("toggle", again, true);
  document.documentElement.dataset.ready = "true";
}
start();
