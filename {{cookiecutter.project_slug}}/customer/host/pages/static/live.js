// Puts what the host sends into the page. Everything in it was escaped by the host.
"use strict";

const live = document.getElementById("live");
const lost = document.querySelector(".lost");

if (live && live.dataset.events) {
  const source = new EventSource(live.dataset.events);
  source.onopen = () => { lost.hidden = true; };
  source.onerror = () => { lost.hidden = false; };
  source.onmessage = (event) => { live.innerHTML = JSON.parse(event.data); };
}

if (live && live.dataset.poll) {
  const refresh = async () => {
    try {
      const answer = await fetch(live.dataset.poll, { cache: "no-store" });
      if (answer.ok) { live.innerHTML = await answer.text(); }
      lost.hidden = answer.ok;
    } catch {
      lost.hidden = false;
    }
  };
  setInterval(refresh, 2000);
}
