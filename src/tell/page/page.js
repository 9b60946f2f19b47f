// Draws what the device tells. Every text from outside goes through textContent or fillText, never into markup, and nothing
// is asked for but this device's own stream of events.

const RATE = 22050; // samples a second; what `at` counts
const COLUMNS = 1024; // of the spectrogram, kept
const MOMENTS = 512; // verdicts, kept
const BANDS = 128;
const STALE_MS = 6000; // without a word for so long, the connection is not believed
const BEHIND_MS = 4000; // what arrives so late is given up for what is new
const FLOOR = 104, CEILING = 212; // of a band's value, 0–254: darkest and brightest colour
const DARKEST_DBFS = -60;

const $ = (id) => document.getElementById(id);
const clamp = (value, least, most) => Math.min(most, Math.max(least, value));
const percent = (p) => `${Math.round(100 * p)} %`;
const light = matchMedia('(prefers-color-scheme: light)');
const calm = matchMedia('(prefers-reduced-motion: reduce)');

// --- what is known ----------------------------------------------------------------------------------------------------

const known = {
  labels: [], view: { samples: 1024, low_hz: 32, high_hz: 7200 }, verdict: null, fault: null, scores: null, moments: [],
  health: null, house: null, load: null, at: 0, atSince: 0, missed: 0, peak: { dbfs: -144, until: 0 }, clippedUntil: 0,
};
const spectrum = {
  bands: new Uint8Array(COLUMNS * BANDS), next: 0, last: null, shown: 0,
  canvas: Object.assign(document.createElement('canvas'), { width: COLUMNS, height: BANDS }),
};

const handlers = {
  hello(hello) {
    known.labels = hello.labels;
    $('program').textContent = hello.program;
    listChances();
  },
  view(view) { known.view = view; },
  history(moments) {
    known.moments = moments.map(([at, state, genre, confidence, p]) => ({ at, state, genre, confidence, p: parts(p) }));
    showChanges();
  },
  scores(scores) { known.scores = parts(scores.p); },
  verdict(verdict) {
    known.verdict = verdict;
    if (verdict.state !== 'fault') known.fault = null;
    hear(verdict.at);
    const last = known.moments.at(-1);
    // A connection begins with the last verdict, which the history has already; another run counts anew.
    if (last && verdict.at < last.at) known.moments = [];
    if (!last || verdict.at !== last.at || verdict.state !== last.state) {
      const { at, state, genre, confidence } = verdict;
      known.moments.push({ at, state, genre, confidence, p: known.scores ?? [] });
      if (known.moments.length > MOMENTS) known.moments.shift();
      showChanges();
    }
    if (known.scores) showChances();
    known.scores = null;
    showNow();
    drawStrip();
  },
  fault(fault) { known.fault = fault; showNow(); },
  sound(sound) {
    hear(sound.at);
    addColumn(sound);
    showLevel(sound);
  },
  health(health) {
    const before = known.health;
    if (before && health.uptime_s > before.uptime_s) {
      known.load = (health.busy_ms - before.busy_ms) / 1000 / (health.uptime_s - before.uptime_s);
    }
    if (!before || health.uptime_s !== before.uptime_s) known.health = health;
    hear(health.at);
    showHealth();
  },
  house(house) {
    known.house = house;
    if (isBehind(house.uptime_ms)) return connect('fell behind; trying again');
    showHealth();
  },
  lost(lost) { known.missed += lost.events; },
  refused() { disconnect('as many pages as may are open; trying again', 10000); },
};

function hear(at) {
  if (at !== known.at) [known.at, known.atSince] = [at, performance.now()];
}

/** Two hexadecimal digits each, 255 is 1. */
function parts(text) {
  return Array.from({ length: text.length / 2 }, (_, i) => parseInt(text.substr(2 * i, 2), 16) / 255);
}

// --- the connection ---------------------------------------------------------------------------------------------------

let stream = null, heard = 0, again = 0, patience = 1000, clock = Infinity;

function connect(why) {
  clearTimeout(again);
  stream?.close();
  setLink(why ? 'lost' : 'connecting', why ?? 'connecting…');
  clock = Infinity;
  heard = performance.now();
  stream = new EventSource(`events${location.search}`);
  stream.onmessage = ({ data }) => {
    heard = performance.now();
    if (document.body.dataset.link !== 'live') setLink('live', 'live');
    patience = 1000;
    const told = JSON.parse(data);
    for (const name in told) handlers[name]?.(told[name]);
  };
  stream.onerror = () => disconnect('connection lost; trying again', patience);
}

function disconnect(why, wait) {
  stream?.close();
  setLink('lost', why);
  clearTimeout(again);
  again = setTimeout(() => connect(why), wait);
  patience = Math.min(2 * patience, 8000);
}

function setLink(link, text) {
  document.body.dataset.link = link;
  $('link').textContent = text;
  showNow();
}

/** Whether what arrives was said long ago: the device's time against ours, from the smallest difference seen. */
function isBehind(uptime) {
  const difference = performance.now() - uptime;
  if (difference < clock) clock = difference;
  return difference - clock > BEHIND_MS;
}

setInterval(() => {
  if (document.body.dataset.link === 'live' && performance.now() - heard > STALE_MS) {
    disconnect('connection lost; trying again', 0);
  }
  showNow();
}, 1000);

// --- colours ----------------------------------------------------------------------------------------------------------

const INK = {
  dark: ['#0a0b10', '#170f3a', '#4b1079', '#97287e', '#de4968', '#fb8861', '#fdd39a', '#fcfdbf'],
  light: ['#fbfaf7', '#e3e9f3', '#b3cbe8', '#7ba3d6', '#5a73c0', '#54459f', '#43206f', '#230a3c'],
};
let ink = [], family = 'sans-serif';

function mixInk() {
  const stops = INK[light.matches ? 'light' : 'dark'].map((text) => [1, 3, 5].map((i) => parseInt(text.substr(i, 2), 16)));
  ink = Array.from({ length: 256 }, (_, value) => {
    const place = clamp((value - FLOOR) / (CEILING - FLOOR), 0, 1) * (stops.length - 1);
    const low = Math.min(Math.floor(place), stops.length - 2);
    return stops[low].map((from, i) => Math.round(from + (stops[low + 1][i] - from) * (place - low)));
  });
}

/** A label's colour: round the circle of hues by the golden angle, in three ways of being bright. */
function colour(label) {
  if (label < 0) return light.matches ? '#5a6273' : '#9aa4b6';
  const lightness = (light.matches ? [0.55, 0.47, 0.62] : [0.76, 0.68, 0.84])[label % 3];
  return `oklch(${lightness} 0.15 ${(40 + 137.508 * label) % 360})`;
}
const labelOf = (genre) => known.labels.indexOf(genre);
const themed = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// --- now --------------------------------------------------------------------------------------------------------------

function setText(element, text) {
  // What did not change is not announced again.
  if (element.textContent !== text) element.textContent = text;
}

function showNow() {
  const { verdict, fault } = known;
  const link = document.body.dataset.link;
  const stands = link === 'live' && known.at > 0 && performance.now() - known.atSince > 4000;
  let says = ['waiting', '…', '', 0, -1];
  if (verdict?.state === 'genre') {
    says = ['genre', verdict.genre, ['confidence ', percent(verdict.confidence)], verdict.confidence, labelOf(verdict.genre)];
  } else if (verdict?.state === 'unsure') {
    says = ['unsure', 'Unsure', [`perhaps ${verdict.genre}, `, percent(verdict.confidence)], verdict.confidence, -1];
  } else if (verdict?.state === 'silence') {
    says = ['silence', 'Silence', ['nothing to hear'], 0, -1];
  } else if (verdict?.state === 'listening') {
    says = ['listening', 'Listening…', ['first window: ', percent(verdict.window_fill)], verdict.window_fill, -1];
  } else if (verdict?.state === 'fault') {
    // What mends it stands in the notice above.
    says = ['fault', verdict.fault.replaceAll('-', ' '), [''], 0, -1];
  }
  if (stands && verdict?.state !== 'fault') says = ['stalled', 'No sound arrives', ['the device lives, its microphone is quiet'], 0, -1];
  const [state, genre, more, part, label] = says;
  const old = Math.round((performance.now() - heard) / 1000);
  const words = { genre: 'it sounds like', unsure: 'no genre for sure', fault: 'something is broken', waiting: 'waiting for the first verdict' }[state] ?? state;
  setText($('state'), link === 'lost' && verdict ? `as it was ${old} s ago` : words);
  setText($('genre'), genre);
  if ($('more').textContent !== [...more].join('')) {
    $('more').replaceChildren(more[0] ?? '', ...(more[1] ? [Object.assign(document.createElement('b'), { textContent: more[1] })] : []));
  }
  $('confidence').firstElementChild.style.transform = `scaleX(${part})`;
  $('confidence').setAttribute('aria-valuenow', Math.round(100 * part));
  document.documentElement.style.setProperty('--accent', state === 'fault' ? themed('--bad') : colour(label));
  document.body.dataset.state = state;
  document.title = link === 'lost' ? `(lost) ${genre} – harmonynet` : `${genre} – harmonynet`;
  showNotice(link, verdict, fault);
}

function showNotice(link, verdict, fault) {
  const lost = link === 'lost' && [$('link').textContent, 'What is below is old.'];
  const broken = verdict?.state === 'fault' && fault && [fault.text, fault.mend];
  const [what, mend] = lost || broken || ['', ''];
  const notice = $('notice');
  notice.hidden = !what;
  if (notice.textContent === `${what}. ${mend}`) return;
  notice.replaceChildren(Object.assign(document.createElement('b'), { textContent: what }), `. ${mend}`);
}

function showLevel({ level, peak, clipped }) {
  const now = performance.now();
  const part = (dbfs) => clamp((dbfs - DARKEST_DBFS) / -DARKEST_DBFS, 0, 1);
  if (peak >= known.peak.dbfs || now > known.peak.until) known.peak = { dbfs: peak, until: now + 1500 };
  if (clipped) known.clippedUntil = now + 3000;
  const [fill, mark] = $('level').children;
  fill.style.clipPath = `inset(0 ${100 - 100 * part(level)}% 0 0)`;
  mark.style.left = `calc(${100 * part(known.peak.dbfs)}% - 3px)`;
  $('clip').hidden = now > known.clippedUntil;
  if (now - (showLevel.last ?? 0) < 250) return;
  showLevel.last = now;
  const text = (dbfs) => (dbfs <= -143 ? '−∞' : dbfs.toFixed(1).replace('-', '−'));
  $('level-text').textContent = `${text(level)} dBFS, peak ${text(known.peak.dbfs)}`;
  $('level').setAttribute('aria-valuenow', Math.round(clamp(level, DARKEST_DBFS, 0)));
}

// --- the spectrogram --------------------------------------------------------------------------------------------------

function addColumn(sound) {
  const { samples } = known.view;
  // Where sound was lost, time passed all the same; where time jumps back, something new began.
  const passed = spectrum.last === null ? 1 : Math.round((sound.at - spectrum.last) / samples);
  spectrum.last = sound.at;
  const blank = passed < 1 ? 8 : Math.min(passed - 1, COLUMNS);
  for (let i = 0; i < blank; i++) putColumn(null);
  putColumn(sound.bands);
}

function putColumn(text) {
  const place = spectrum.next % COLUMNS;
  for (let band = 0; band < BANDS; band++) {
    spectrum.bands[place * BANDS + band] = text ? parseInt(text.substr(2 * band, 2), 16) : 0;
  }
  paintColumns(place, 1);
  spectrum.next++;
}

function paintColumns(first, count) {
  const context = spectrum.canvas.getContext('2d');
  const image = context.createImageData(count, BANDS);
  for (let column = 0; column < count; column++) {
    for (let band = 0; band < BANDS; band++) {
      const [r, g, b] = ink[spectrum.bands[(first + column) * BANDS + band]];
      image.data.set([r, g, b, 255], 4 * ((BANDS - 1 - band) * count + column));
    }
  }
  context.putImageData(image, first, 0);
}

/** A canvas's context in CSS pixels, and its size in them. */
function sheet(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const scale = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
  }
  const context = canvas.getContext('2d');
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return { context, width, height };
}

function drawSpectrogram(elapsed) {
  const { context, width, height } = sheet($('spectrogram'));
  const perSecond = RATE / known.view.samples;
  const columnWidth = width < 500 ? 1.5 : 2;
  // Columns come in jumps; what is shown moves evenly, at most three columns behind.
  const smooth = calm.matches ? spectrum.next : spectrum.shown + elapsed * perSecond;
  spectrum.shown = clamp(smooth, spectrum.next - 3, spectrum.next);
  const count = Math.ceil(width / columnWidth) + 1;
  context.fillStyle = `rgb(${ink[0].join()})`;
  context.fillRect(0, 0, width, height);
  const last = Math.floor(spectrum.shown);
  const right = width - (spectrum.shown - last) * columnWidth + columnWidth;
  for (let end = Math.min(last + 1, spectrum.next), wanted = Math.min(count + 1, COLUMNS - 4, end); wanted > 0;) {
    const take = Math.min(wanted, (end - 1) % COLUMNS + 1);
    const x = right - (last + 1 - end + take) * columnWidth;
    context.drawImage(spectrum.canvas, (end - take) % COLUMNS, 0, take, BANDS, x, 0, take * columnWidth, height);
    [end, wanted] = [end - take, wanted - take];
  }
  const mel = (hz) => Math.log10(1 + hz / 700);
  const { low_hz: low, high_hz: high } = known.view;
  for (const hz of [250, 1000, 2000, 4000]) {
    const y = height * (1 - (mel(hz) - mel(low)) / (mel(high) - mel(low)));
    tag(context, hz < 1000 ? `${hz} Hz` : `${hz / 1000} kHz`, 8, y, 'left');
  }
  for (let seconds = 5; seconds * perSecond * columnWidth < width - 50; seconds += 5) {
    const x = width - seconds * perSecond * columnWidth;
    context.fillStyle = light.matches ? '#0003' : '#fff4';
    context.fillRect(x, height - 7, 1, 7);
    if (seconds % 10 === 0) tag(context, `−${seconds} s`, x, height - 18, 'center');
  }
}

function tag(context, text, x, y, align, size = 11) {
  context.font = `500 ${size}px ${family}`;
  context.textAlign = align;
  context.textBaseline = 'middle';
  context.lineWidth = 3;
  context.lineJoin = 'round';
  context.strokeStyle = light.matches ? '#fffc' : '#000b';
  context.fillStyle = light.matches ? '#15181e' : '#eceff5';
  context.strokeText(text, x, y);
  context.fillText(text, x, y);
}

// --- genre and confidence over time -----------------------------------------------------------------------------------

function drawStrip() {
  const { context, width, height } = sheet($('strip'));
  const { moments } = known;
  context.clearRect(0, 0, width, height);
  if (!moments.length) return;
  const end = moments.at(-1).at;
  const seconds = clamp((end - moments[0].at) / RATE, 30, 290);
  $('span').textContent = `confidence of what was shown, and all scores; the last ${seconds < 90 ? `${Math.round(seconds)} s` : `${(seconds / 60).toFixed(1)} min`}`;
  const x = (at) => width * (1 - (end - at) / (seconds * RATE));
  const upper = { top: 0, height: Math.round(height * 0.5) };
  const lower = { top: upper.height + 10, height: height - upper.height - 10 };
  context.fillStyle = themed('--track');
  for (const { top, height: h } of [upper, lower]) context.fillRect(0, top, width, h);
  for (const run of runsOf(moments)) drawRun(context, run, x, upper);
  drawScores(context, moments, x, lower);
}

/** Moments in a row that show the same. */
function runsOf(moments) {
  const runs = [];
  moments.forEach((moment, i) => {
    const last = runs.at(-1);
    let from = i ? moments[i - 1].at : moment.at - RATE / 2;
    // A fault is told when it begins and lasts until something else is; everything else is told of what was just heard.
    if (last?.state === 'fault') last.points.push([from = moment.at, 1]);
    if (last && last.state === moment.state && (moment.state !== 'genre' || last.genre === moment.genre)) {
      last.points.push([moment.at, moment.confidence ?? 1]);
    } else {
      runs.push({ state: moment.state, genre: moment.genre, from, points: [[from, moment.confidence ?? 1], [moment.at, moment.confidence ?? 1]] });
    }
  });
  return runs;
}

function drawRun(context, { state, genre, from, points }, x, { top, height }) {
  const [left, right] = [x(from), x(points.at(-1)[0])];
  const bottom = top + height;
  if (state === 'genre' || state === 'unsure') {
    context.fillStyle = colour(state === 'genre' ? labelOf(genre) : -1);
    context.beginPath();
    context.moveTo(left, bottom);
    for (const [at, confidence] of points) context.lineTo(x(at), bottom - height * confidence);
    context.lineTo(right, bottom);
    context.fill();
  }
  if (state !== 'genre') hatch(context, left, top, right - left, height, state === 'fault' ? themed('--bad') : themed('--quiet'));
  const text = state === 'genre' ? genre : state;
  context.font = `500 12px ${family}`;
  if (context.measureText(text).width + 8 < right - left) tag(context, text, (Math.max(left, 0) + right) / 2, bottom - 13, 'center', 12);
}

/** What is no genre is striped, so that it can be told without colours. */
function hatch(context, left, top, width, height, ink) {
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  context.strokeStyle = ink;
  context.globalAlpha = 0.45;
  context.lineWidth = 1;
  context.beginPath();
  for (let x = Math.floor(left / 8) * 8 - height; x < left + width; x += 8) {
    context.moveTo(x, top + height);
    context.lineTo(x + height, top);
  }
  context.stroke();
  context.restore();
}

function drawScores(context, moments, x, { top, height }) {
  for (let label = 0; label < known.labels.length; label++) {
    context.fillStyle = colour(label);
    let path = [];
    const close = () => {
      if (path.length > 1) {
        context.beginPath();
        for (const [at, above] of path) context.lineTo(at, top + height * above);
        for (const [at, , below] of path.reverse()) context.lineTo(at, top + height * below);
        context.fill();
      }
      path = [];
    };
    let before = -Infinity;
    for (const { at, p } of moments) {
      if (!p.length || at - before > 4 * RATE) close();
      before = at;
      const sum = p.reduce((a, b) => a + b, 0);
      if (!sum) continue;
      const above = p.slice(0, label).reduce((a, b) => a + b, 0) / sum;
      path.push([x(at), above, above + (p[label] ?? 0) / sum + 0.004]);
    }
    close();
  }
}

// --- lists ------------------------------------------------------------------------------------------------------------

function element(name, className, text = '') {
  return Object.assign(document.createElement(name), { className, textContent: text });
}

function listChances() {
  $('chances').querySelector('ul').replaceChildren(...known.labels.map((label, i) => {
    const item = element('li', '');
    const bar = element('div', 'bar');
    bar.append(element('div', 'fill'));
    bar.firstElementChild.style.background = colour(i);
    item.append(element('span', 'name', label), bar, element('span', 'part', '–'));
    return item;
  }));
}

function showChances() {
  const shown = known.verdict?.state === 'genre' ? labelOf(known.verdict.genre) : -1;
  [...$('chances').querySelectorAll('li')].forEach((item, i) => {
    const p = known.scores[i] ?? 0;
    item.classList.toggle('shown', i === shown);
    item.children[1].firstElementChild.style.transform = `scaleX(${p})`;
    setText(item.children[2], percent(p));
  });
}

function showChanges() {
  const changes = runsOf(known.moments).slice(-7).reverse();
  const end = known.moments.at(-1)?.at ?? 0;
  $('changes').querySelector('ol').replaceChildren(...changes.map(({ state, genre, from }) => {
    const item = element('li', '');
    const when = new Date(Date.now() - (end - from) / RATE * 1000);
    const mark = element('span', 'mark');
    mark.style.background = state === 'fault' ? themed('--bad') : colour(state === 'genre' ? labelOf(genre) : -1);
    item.append(element('time', '', when.toLocaleTimeString([], { hour12: false })), mark, element('span', '', state === 'genre' ? genre : state));
    return item;
  }));
}

const counted = {};

function showHealth() {
  const { health, house } = known;
  if (!health || !house) return;
  const time = (seconds) => (seconds < 60 ? `${Math.floor(seconds)} s` : seconds < 3600 ? `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s` : `${Math.floor(seconds / 3600)} h ${Math.floor(seconds / 60) % 60} min`);
  const lostTime = (samples) => (samples ? `${(samples / RATE).toFixed(2)} s` : 'none');
  const rows = [
    ['Up', time(house.uptime_ms / 1000)],
    ['Heard', time(health.heard / RATE)],
    ['Lost by mic', lostTime(health.lost), health.lost],
    ['Overruns', health.overruns, health.overruns],
    ['Failures', health.failures, health.failures],
    ['Lost, too slow', lostTime(health.dropped), health.dropped],
    ['Waiting', `${health.queued} of ${health.queue}`, null, health.queued > health.queue / 2],
    ['Busy', known.load === null ? '…' : `${(100 * known.load).toFixed(1)} %`, null, known.load > 0.8],
    ['Verdicts', health.verdicts],
    ['Passed over', health.passed_over, health.passed_over],
    ['Pages open', `${house.viewers} of ${house.viewers_most}`],
    ['Pages missed', house.page_lost, house.page_lost],
    ['This one missed', known.missed, known.missed],
    ['Listeners', health.listeners],
    ['They missed', health.lost_events, health.lost_events],
    ['MQTT', house.mqtt === null ? 'off' : house.mqtt ? 'connected' : 'broker away', null, house.mqtt === false],
  ];
  if (house.mqtt !== null) rows.push(['Broker missed', house.mqtt_lost, house.mqtt_lost]);
  const list = $('health').querySelector('dl');
  rows.forEach(([name, value, count, warns], i) => {
    const row = list.children[i] ?? list.appendChild(element('div', ''));
    if (!row.firstChild) row.append(element('dt', ''), element('dd', ''));
    setText(row.children[0], name);
    setText(row.children[1], String(value));
    // A count warns for a minute after it grew.
    const last = counted[name];
    if (count !== undefined && count !== null && last?.count !== count) counted[name] = { count, grew: last && count > last.count ? performance.now() : -Infinity };
    row.classList.toggle('warn', Boolean(warns) || performance.now() - (counted[name]?.grew ?? -Infinity) < 60000);
  });
}

// --- begin ------------------------------------------------------------------------------------------------------------

let painted = 0;

function paint(now) {
  // A page whose connection is lost stands still.
  if (document.body.dataset.link === 'live') drawSpectrogram(Math.min((now - painted) / 1000, 0.2));
  painted = now;
  requestAnimationFrame(paint);
}

function redraw() {
  mixInk();
  family = getComputedStyle(document.body).fontFamily;
  paintColumns(0, COLUMNS);
  listChances();
  drawSpectrogram(0);
  drawStrip();
  showNow();
  showChanges();
}

light.addEventListener('change', redraw);
addEventListener('resize', () => { drawSpectrogram(0); drawStrip(); });
redraw();
connect();
requestAnimationFrame(paint);
