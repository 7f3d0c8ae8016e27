// Load the page again every so often, as its file is written again while a training goes on; the reader may pause that.
// data: seconds
views.reload = (place, { seconds }) => {
  const paused = () => location.hash === "#paused"; // it stays when the page is loaded again
  const button = element("button", { type: "button" });
  let due = 0;
  const show = () => {
    clearTimeout(due);
    button.textContent = paused() ? "Follow the training" : "Pause";
    if (!paused()) due = setTimeout(() => location.reload(), 1000 * seconds);
  };
  button.onclick = () => {
    location.hash = paused() ? "" : "#paused";
    show();
  };
  place.append(element("p", { class: "soft" }, `This page is loaded again every ${seconds} seconds. `, button));
  show();
};
