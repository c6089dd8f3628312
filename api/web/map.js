// The map of the ride page: longitude to the right, latitude upwards, both in equal degrees.

const $ = (id) => document.getElementById(id);
const kEarthRadius = 6371;
const kAround = 360;

export function kilometres(a, b) {
  const [latA, latB, turn] = [a.lat, b.lat, b.lon - a.lon].map((degrees) => (degrees * Math.PI) / 180);
  const half = Math.sin((latB - latA) / 2) ** 2 + Math.cos(latA) * Math.cos(latB) * Math.sin(turn / 2) ** 2;
  return 2 * kEarthRadius * Math.asin(Math.sqrt(Math.min(1, half)));
}

// Returns the place on the earth at which the map was clicked, as texts for the fields.
export function placeAt(event) {
  const box = $('map').getBoundingClientRect();
  const place = (part, size, degrees) => ((part / size) * degrees - degrees / 2).toFixed(2);
  return { lat: String(-place(event.clientY - box.top, box.height, 180)), lon: place(event.clientX - box.left, box.width, 360) };
}

// The arc goes the short way around the earth. Across the date line it leaves the map on one side and comes back on the
// other. Then it is drawn twice, once for each end, and the parts outside the map are cut off.
function arc(from, to) {
  const ahead = to.x - from.x;
  const way = ahead - kAround * Math.round(ahead / kAround);
  const lift = Math.min(60, Math.abs(way) / 3 + 6);
  const top = Math.max(2, Math.min(from.y, to.y) - lift);
  const drawn = (start) => `M${start} ${from.y}Q${start + way / 2} ${top} ${start + way} ${to.y}`;
  return way === ahead ? drawn(from.x) : drawn(from.x) + drawn(to.x - way);
}

// Shows the ends that are known, each { lat, lon } or null, and the way between them.
export function drawMap(origin, target) {
  const onMap = ({ lat, lon }) => ({ x: lon + 180, y: 90 - lat });
  for (const [which, known] of [['origin', origin], ['target', target]]) {
    for (const part of ['pin', 'label']) $(`${which}-${part}`).toggleAttribute('hidden', !known);
    if (!known) continue;
    const { x, y } = onMap(known);
    $(`${which}-pin`).setAttribute('cx', x);
    $(`${which}-pin`).setAttribute('cy', y);
    $(`${which}-label`).setAttribute('x', Math.min(Math.max(x, 12), 348));
    $(`${which}-label`).setAttribute('y', y > 14 ? y - 7 : y + 12);
  }
  if (origin && target) $('flight').setAttribute('d', arc(onMap(origin), onMap(target)));
  else $('flight').removeAttribute('d');
  $('distance').textContent = origin && target ? `${Math.round(kilometres(origin, target)).toLocaleString('en-US')} km` : '';
}
