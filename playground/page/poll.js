// Asks again and again, but only while the page and the panel can be seen.

/** Runs `once` every `seconds` while visible() holds. A slow answer delays the next question, never doubles it. */
export function poll(seconds, visible, once) {
  let timer;
  const tick = async () => {
    clearTimeout(timer);
    if (!document.hidden && visible()) await once().catch(() => {});
    clearTimeout(timer);
    timer = setTimeout(tick, seconds * 1000);
  };
  document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });
  tick();
  return tick;
}
