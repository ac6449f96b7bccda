/* What gradio's front end leaves out, for every page: pages that scroll over a slider, a slider that
   keys move, one run for a double click, names for those who hear the page, words in the language of
   the page where it has English ones only (window.gradioWords; %s stands for a value). */
(() => {
  const SLIDER = ".slider-wrap", HANDLE = "[data-testid=slider]";

  // gradio keeps wheel and touch on a slider for its zoom. A finger or a wheel alone scrolls the
  // page, as everywhere; two fingers and Ctrl + wheel zoom, and a zoomed picture is moved about.
  const still = (slider) => [...slider.querySelectorAll("img")].every(
    (image) => /scale\(1\)|^$/.test(image.style.transform));
  const own = { capture: true, passive: true };
  document.addEventListener("wheel", (event) => {
    if (event.target.closest(SLIDER) && !event.ctrlKey) event.stopImmediatePropagation();
  }, own);
  document.addEventListener("touchstart", (event) => {
    const slider = event.target.closest(SLIDER);
    const scrolls = slider && event.touches.length === 1 && still(slider);
    if (scrolls && !event.target.closest(HANDLE)) event.stopImmediatePropagation();
  }, own);

  // The line listens to the mouse only, so a key is told to it as a drag.
  const part = (handle) => {
    const whole = handle.closest(SLIDER).getBoundingClientRect();
    const place = handle.getBoundingClientRect();
    return { whole, x: place.left + place.width / 2, y: place.top + place.height / 2 };
  };
  const tell = (handle) => {
    const { whole, x } = part(handle);
    handle.setAttribute("aria-valuenow", Math.round((x - whole.left) / whole.width * 100));
  };
  const drag = (handle, steps) => {
    const { whole, x, y } = part(handle);
    const to = Math.min(Math.max(x + steps * whole.width / 20, whole.left), whole.right);
    const fire = (type, on, clientX) => on.dispatchEvent(new MouseEvent(
      type, { bubbles: true, cancelable: true, view: window, clientX, clientY: y }));
    fire("mousedown", handle, x);
    fire("mousemove", window, to);
    fire("mouseup", window, to);
    requestAnimationFrame(() => tell(handle));
  };
  const STEPS = { ArrowLeft: -1, ArrowRight: 1, PageDown: -4, PageUp: 4, Home: -20, End: 20 };
  document.addEventListener("keydown", (event) => {
    const handle = event.target.closest?.(`${SLIDER} ${HANDLE}`);
    if (!handle || !STEPS[event.key]) return;
    event.preventDefault();
    drag(handle, STEPS[event.key]);
  });

  // gradio would queue the second half of a double click as a run of its own.
  document.addEventListener("click", (event) => {
    if (event.detail > 1 && event.target.closest("#run")) event.stopImmediatePropagation();
  }, true);

  // On a phone the strip is wider than the screen: its crops come first, the whole picture at their left.
  document.addEventListener("load", (event) => {
    const frame = event.target.closest?.("#strip .image-frame");
    const whole = document.querySelector("#overview img");
    if (!frame || !whole) return;
    frame.scrollLeft = event.target.clientHeight * whole.naturalWidth / whole.naturalHeight;
  }, true);

  const WORDS = Object.entries(window.gradioWords[document.documentElement.lang] ?? {}).map(
    ([english, own]) => [
      new RegExp(`^${english.replace(/[.|()]/g, "\\$&").replaceAll("%s", "(.+)")}$`), own]);
  const translated = (said) => {
    for (const [english, own] of WORDS) {
      const found = said.trim().match(english);
      if (found) return found.slice(1).reduce((text, part) => text.replace("%s", () => part), own);
    }
  };
  const SPEAKING = "[data-testid=toast-body], [data-testid=status-tracker]";
  const translate = (node) => {
    const texts = document.createNodeIterator(node, NodeFilter.SHOW_TEXT);
    for (let text; (text = texts.nextNode());) {
      const own = text.parentElement?.closest(SPEAKING) && translated(text.data);
      if (own) text.data = `${own} `;
    }
  };

  const set = (element, name, value) => {
    if (value && element.getAttribute(name) !== value) element.setAttribute(name, value);
  };
  const name = () => {
    for (const label of document.querySelectorAll("[data-testid=block-label]")) {
      const block = label.closest(".block"), words = label.innerText.trim();
      block.querySelectorAll("img").forEach((image) => set(image, "alt", words));
      block.querySelectorAll("button").forEach((button) => {
        if (!button.innerText.trim() && !button.title) set(button, "aria-label", words);
      });
      block.querySelectorAll(HANDLE).forEach((handle) => {
        set(handle, "role", "slider");
        set(handle, "tabindex", "0");
        set(handle, "aria-label", words);
        set(handle, "aria-valuemin", "0");
        set(handle, "aria-valuemax", "100");
        if (!handle.hasAttribute("aria-valuenow")) tell(handle);
      });
    }
    document.querySelectorAll(".gallery-item:has(img)").forEach((example) =>
      set(example, "aria-label", decodeURI(example.querySelector("img").src).split("/").pop()));
    for (const attribute of WORDS.length ? ["title", "aria-label"] : [])
      document.querySelectorAll(`[${attribute}]`).forEach((element) =>
        set(element, attribute, translated(element.getAttribute(attribute))));
    document.querySelectorAll("#said").forEach((notice) => set(notice, "role", "status"));
  };
  let named = false;
  new MutationObserver((changes) => {
    const all = (type) => changes.filter((change) => change.type === type);
    if (WORDS.length) {
      all("characterData").forEach(({ target }) => translate(target));
      all("childList").forEach(({ addedNodes }) => addedNodes.forEach(translate));
    }
    if (named || !all("childList").length) return;
    named = true;
    requestAnimationFrame(() => { named = false; name(); });
  }).observe(document.documentElement, { childList: true, characterData: true, subtree: true });
})();
