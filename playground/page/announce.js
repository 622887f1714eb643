// Says new messages to screen readers, once, politely, and only those that the person could see.

import { store, displayName } from "./store.js";
import { plain } from "./mrkdwn.js";
import { t } from "./words.js";

export function announce(channel, message) {
  if (channel !== store.at.channel || message.user === store.at.user) return;
  const region = document.getElementById("announcer");
  if (!region) return;
  region.textContent = t("announce", { name: displayName(message.user), text: plain(message.text ?? "").slice(0, 300) });
}
