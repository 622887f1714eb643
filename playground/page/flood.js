// "Flood": one person asks for a lot at once, so that one can watch what becomes of everybody else.

import * as api from "./api.js";
import { h, fill } from "./dom.js";
import { explain } from "./acting.js";
import { store, channelsOf, displayName, user as person, withBot } from "./store.js";
import { t } from "./words.js";

// Threadline lets a person have 20 requests open (MOST_OPEN).
const MOST = 20;
// Long enough to do something as somebody else meanwhile.
const USUAL = 16;
const chosen = { user: "", count: USUAL };

export function render(node) {
  chosen.user ||= (store.users.find((one) => one.id !== store.at.user) ?? store.users[0])?.id ?? "";
  const said = h("span", { class: "flooded", role: "status" });
  const go = h("button", { class: "button small primary", "data-key": "flood" }, t("flood"));
  const who = h("select", { class: "select small", name: "user", "aria-label": t("floodWho"), "data-key": "flood-who", onchange: () => { chosen.user = who.value; } },
    ...store.users.map((one) => h("option", { value: one.id, selected: one.id === chosen.user }, displayName(one.id))));
  const count = h("input", { class: "field number", type: "number", name: "count", min: 1, max: MOST, required: true, value: chosen.count, "aria-label": t("floodCount"), "data-key": "flood-count",
    oninput: () => { chosen.count = count.value; } });
  fill(node, h("form", { class: "flood", onsubmit: async (event) => {
    event.preventDefault();
    go.disabled = true;
    await send(chosen.user, Number(chosen.count), (sentence) => { said.textContent = sentence; });
    go.disabled = false;
  } }, h("div", { class: "flood-row" }, who, h("span", {}, t("floodSends")), count, go),
  h("p", { class: "hint" }, t("floodText"), " ", said)));
}

async function send(user, count, say) {
  const channel = channelsOf(user).find(withBot)?.id;
  const texts = (person(user)?.locale ?? "").startsWith("ko") ? KOREAN : ENGLISH;
  try {
    for (let at = 0; at < count; at += 1) await api.post("say", { user, channel, text: text(texts, at) });
    say(t("flooded", { name: displayName(user), n: count }));
  } catch (error) {
    say(explain(error));
  }
}

/** All the sentences, each time begun elsewhere. */
const text = (sentences, at) => `${at + 1}. ${sentences.map((_, next) => sentences[(at + next) % sentences.length]).join(" ")}`;

const ENGLISH = [
  "The night ferry now leaves at ten instead of nine, because the lock upstream closes for repairs until May.",
  "Visitors asked for more benches along the quay, and the council found money for twelve of them.",
  "A third of all parcels came late in March, mostly since two of the five vans were waiting for new brakes.",
  "The kitchen buys its bread from a bakery round the corner, which saves four hundred euros a month.",
  "Nobody has used the old ticket machine since autumn, so it will make room for a map of the town.",
  "The choir rehearses on Tuesdays in the reading room, and the neighbours have begun to bring chairs.",
  "Measurements at the north pier show that the water is two degrees warmer than ten years ago.",
  "The new lift stopped four times in its first week; the maker blames dust from the building site next door.",
  "Schools may borrow the telescope for a fortnight if a teacher has taken the evening course.",
  "Rents near the station rose by six percent, while the flats by the canal stayed as they were.",
  "The orchard gave nine tonnes of pears, more than ever, and half of them became juice.",
];
const KOREAN = [
  "상류의 갑문이 오월까지 수리로 닫히기 때문에 야간 연락선은 아홉 시가 아니라 열 시에 떠난다.",
  "방문객들이 부두에 긴 의자를 더 놓아 달라고 했고, 시의회는 열두 개를 놓을 예산을 찾았다.",
  "삼월에는 소포 셋 가운데 하나가 늦었는데, 차 다섯 대 중 두 대가 새 브레이크를 기다렸기 때문이다.",
  "식당은 모퉁이 빵집에서 빵을 사서 한 달에 사십만 원을 아낀다.",
  "낡은 표 판매기는 가을부터 아무도 쓰지 않아서 그 자리에 마을 지도를 세운다.",
  "합창단은 화요일마다 열람실에서 연습하고, 이웃들은 의자를 들고 오기 시작했다.",
  "북쪽 방파제에서 잰 물은 십 년 전보다 이 도 더 따뜻하다.",
  "새 승강기는 첫 주에 네 번 멈췄고, 만든 회사는 옆 공사장의 먼지를 탓한다.",
  "저녁 강좌를 들은 선생님이 있는 학교는 망원경을 두 주 동안 빌릴 수 있다.",
  "역 근처의 집세는 육 퍼센트 올랐지만 운하 옆의 집들은 그대로다.",
  "과수원은 배를 구 톤이나 거두었고, 그 절반은 주스가 되었다.",
];
