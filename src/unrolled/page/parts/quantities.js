// Which unit of which gate or state is looked at, and that unit over time.
// quantities: [{name, grid: numbers of T rows and U columns, units: the number of each column in the model}]
function quantityOf(quantities, cursor) {
  const found = quantities.find((one) => one.name === cursor.quantity) ?? quantities[0];
  if (!found) return null;
  cursor.quantity = found.name;
  cursor.unit = Math.max(0, Math.min(found.grid.width - 1, cursor.unit));
  return found;
}

const unitNumber = (quantity, column) => quantity.units[column];
const ofGaps = ({ grid }) => ((grid.gaps ??= grid.raw.includes(NO_VALUE)) ? "; where there is no value, a map is grey and a text has no colour" : "");

function unitControls({ quantities, found = [] }, cursor) {
  const quantity = quantityOf(quantities, cursor);
  const range = element("span", { class: "soft" });
  const unit = element("input", { type: "number", min: 0, value: unitNumber(quantity, cursor.unit), oninput: () => {
    const now = quantityOf(quantities, cursor);
    const column = now.units.indexOf(+unit.value);
    if (unit.value !== "" && column >= 0) cursor.choose(column);
  } });
  const which = choice("value", quantities.map((one) => [one.name, one.name]), quantity.name, (name) => cursor.choose(cursor.unit, name));
  const known = found.length ? [choice("units found", [["", "choose…"], ...found.map((one, at) => [at, one.says])], "", (at) => { if (at !== "") cursor.choose(found[at].unit, found[at].quantity); })] : [];
  cursor.follow(() => {
    const now = quantityOf(quantities, cursor);
    which.querySelector("select").value = now.name;
    if (document.activeElement !== unit) unit.value = unitNumber(now, cursor.unit);
    range.textContent = `colours from ${number(now.grid.low)} (blue) to ${number(now.grid.high)} (red)${ofGaps(now)}`;
  });
  return element("div", { class: "controls" }, which, element("label", {}, "unit", unit), ...known, range);
}

function unitStrip(quantities, cursor, title) {
  const rows = () => {
    const now = quantityOf(quantities, cursor);
    return [["step", "value"], around(cursor).map((step) => [cursor.number(step), number(now.grid.at(step, cursor.unit))]), `${now.name}, unit ${unitNumber(now, cursor.unit)}`];
  };
  return canvasBox({ label: `${title}: the chosen unit over time`, height: 64, cursor, rows, click: (x) => cursor.go(x * cursor.steps - 0.5), paint(context, width, height) {
    const { grid } = quantityOf(quantities, cursor);
    const y = (value) => height - 4 - ((value - grid.low) / (grid.high - grid.low || 1)) * (height - 8);
    context.strokeStyle = style("--accent");
    linePath(context, width, (step) => grid.at(step, cursor.unit), 0, cursor.steps, y);
    context.stroke();
  } });
}
