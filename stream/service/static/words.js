// This module puts numbers and names of the stream into words for a person.

export const clock = (s) => {
  const whole = Math.max(0, Math.floor(s));
  const [hours, minutes, seconds] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n) => String(n).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
};

export const count = (n) => n.toLocaleString("en");

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

export const titled = (song) => [song.artist, song.title].filter(Boolean).join(" – ");

export const ago = (s) => {
  if (s < 5) return "now";
  if (s < 90) return `${Math.round(s)} s ago`;
  return s < 5400 ? `${Math.round(s / 60)} min ago` : `${Math.round(s / 3600)} h ago`;
};

export const spoken = (s) =>
  `${plural(Math.floor(s / 60), "minute")} ${plural(Math.floor(s % 60), "second")}`;

// How the model's probability reads, best first.
const FITS = [
  [0.8, "follows very naturally"],
  [0.5, "follows naturally"],
  [0.2, "follows well enough"],
  [0, "a bold join"],
];

export const fits = (score) => FITS.find(([least]) => score >= least)[1];

const RUNGS = {
  full: "every candidate was weighed",
  kept: "weighed by scores that were kept",
  shortlist: "the nearest candidates were weighed",
  nearest: "chosen by sound alone: time ran short",
  rules: "chosen by the rules alone",
  natural: "the song goes on",
  phrase: "within a phrase nothing has to be decided",
  start: "the stream begins",
  random: "drawn at random",
  any: "any song: its pool is gone",
  walk: "the next of a walk along reference songs",
};

export const decidedBy = (rung) => RUNGS[rung] ?? rung;

// Of each term: its name, what speaks for a join where it costs next to nothing, and what against it.
const TERMS = {
  model: ["model", "the model expects it", "the model is not sure of it"],
  rhythm: ["rhythm", "the rhythm goes on", "another rhythm"],
  tone: ["tone", "alike in tone", "another tone"],
  tempo: ["tempo", "the same tempo", "another tempo"],
  bar: ["place in the bar", "in step with the bar", "another place in the bar"],
  key: ["key", "keys that go together", "keys far apart"],
  chroma: ["harmony", "alike in harmony", "another harmony"],
  level: ["loudness", "equally loud", "a step in loudness"],
  voice: ["voice", null, "a voice is cut"],
  next: ["what really follows", null, "unlike what really follows"],
  before: ["what really precedes", null, "unlike what really precedes"],
  next_bands: ["spectrum after", null, null],
  before_bands: ["spectrum before", null, null],
  hub: ["liked by all", null, "follows almost anything"],
  liked: ["your likes", "you liked it", null],
  favoured: ["your favours", "a song that you favour", null],
  towards: ["the song to reach", "nearer to the song that you want", "further from the song that you want"],
  door: ["door to the song", "songs that meet well", "songs that hardly meet"],
  judged: ["how they meet", "they meet better than it seemed", "they meet worse than it seemed"],
  due: ["the song's turn", "a song that was not heard for long", null],
  arc: ["arc of energy", null, "livelier or calmer than the arc of the stream"],
  walk: ["way out", null, "away from the good doors"],
  coverage: ["heard seldom", "not heard for long", "heard often"],
  other_song: ["a change is due", "a change of song is due", "a change of song came early"],
  future: ["what it leads to", "leads to good joins", null],
};

const PLAIN = ["rhythm", "tone", "tempo", "key", "level"];
const BONUS = ["model", "liked", "favoured", "towards", "coverage", "due", "other_song", "future"];
const COST_THAT_COUNTS = -0.7;
const GAIN_THAT_COUNTS = 0.3;
const NEXT_TO_NOTHING = -0.15;

export const termName = (term) => TERMS[term]?.[0] ?? term.replaceAll("_", " ");

/** Return what spoke for and against a join, in words, what weighs most first. */
export function reasonsOf(join) {
  const terms = Object.entries(join.terms ?? {}).filter(([name]) => name in TERMS);
  const against = terms
    .filter(([name, value]) => value < COST_THAT_COUNTS && TERMS[name][2])
    .sort((a, b) => a[1] - b[1])
    .map(([name]) => TERMS[name][2]);
  const bonus = terms
    .filter(([name, value]) => BONUS.includes(name) && value > GAIN_THAT_COUNTS && TERMS[name][1])
    .sort((a, b) => b[1] - a[1])
    .map(([name]) => TERMS[name][1]);
  const free = terms
    .filter(([name, value]) => PLAIN.includes(name) && value > NEXT_TO_NOTHING)
    .map(([name]) => TERMS[name][1]);
  return { pro: [...bonus, ...free].slice(0, 4), contra: against.slice(0, 2), said: join.reasons ?? [] };
}
