// Every sentence of the page, one catalogue per language. The language follows the acting person's Slack locale.

const en = {
  title: "Threadline playground", tagline: "A Slack and a model server, on your machine", skip: "Skip to the messages",
  actAs: "Acting as", channels: "Channels", direct: "Direct message", apps: "App", locale: "Language of {name}", secondWindow: "Open a second window as {name}",
  messages: "Messages", home: "Home", threadTitle: "Thread", thread: "Thread in {name}", closeThread: "Close the thread", noThread: "",
  send: "Send", attach: "Attach a file", shortcuts: "Shortcuts", dropHere: "Drop files to attach them", removeFile: "Remove {name}", mostFiles: "{n} files are the most",
  writeIn: "Message {name}", writeReply: "Reply in the thread", composerHint: "Enter sends, Shift+Enter starts a new line",
  onlyYou: "Only visible to you", edited: "(edited)", deleted: "This message was deleted.", app: "APP", replies: "{n} replies", reply: "1 reply", lastReply: "last {when}",
  replyInThread: "Reply in thread", more: "More", edit: "Edit", delete: "Delete", save: "Save", cancel: "Cancel", ok: "OK", close: "Close", dismiss: "Dismiss",
  deleteTitle: "Delete this message?", deleteText: "Nobody will see it any more.", showMore: "Show all", showLess: "Show less",
  emptyChannel: "Nothing here yet.", emptyHint: "Try {command} with some text, or mention @{bot}.", emptyDm: "Write to the bot directly. No mention needed.",
  today: "Today", yesterday: "Yesterday", unread: "{n} new", announce: "{name}: {text}",
  notInThreads: "{command} is not supported in threads. Sorry!",
  badCommand: "{command} is not a valid command. In Slack, all messages that start with the \"/\" character are interpreted as commands.",
  tooLong: "A message holds 40,000 characters and this one has {n}.", sendAsFile: "Send as a text file", tooLongTitle: "This text is too long",
  dispatchFailed: "{what} failed: the bot did not answer. Is it running?", slackTimeout: "{what} failed with the error \"operation_timeout\": the bot took longer than 3 seconds.",
  offline: "The playground does not answer. Trying again…", botOffline: "The bot does not answer. What you send now reaches it only if it comes back while Slack still retries.",
  failed: "That did not work: {why}", noUpload: "{name} was not attached: {why}", noDownload: "{name} could not be read: {why}", notHere: "it is not on this server",
  download: "Download {name}", preview: "Preview", image: "Image", choose: "Choose…", optional: "(optional)", unknownBlock: "Block of type “{type}”",
  homeEmpty: "The bot has not published a Home view yet.", homeTitle: "Home of {name}", submit: "Submit", submitting: "Sending…", fillIn: "Please complete this required field.",
  line: "The line", lineOff: "The playground has no DATABASE_URL, so it cannot look into Threadline's line.", lineEmpty: "Nobody is waiting.", lineUnread: "Threadline's database does not answer yet.",
  next: "Next", nextCalls: "{n} calls wait. The next ones are of: {names}", slotsUsed: "{n} of {limit} slots in use", slotsHeld: "Slots held by: {names}", free: "nobody",
  learned: "learned", learnedWhy: "Threadline found out by itself how many calls this server bears.", failures: "{n} failures in a row",
  tokensServed: "Tokens served since the line was last empty", tokensServedWhy: "A bar begins where its person joined; those who wait are kept level at the right.", callsOf: "{waiting} waiting · {running} running · {done} done",
  ahead: "{n} ahead", nextOne: "next", leftBetween: "{from} to {to} left", leftUpTo: "up to {to} left", leftMore: "{from} left or more", seconds: "{n} s", minutes: "{n} min",
  flood: "Flood", floodWho: "Who floods the line", floodCount: "How many requests", floodSends: "asks at once:", flooded: "{name} sent {n}.",
  floodText: "Sends so many short texts to the bot as this person, directly. Let others ask meanwhile and watch them share the line.",
  jobs: "Requests", backend: "Backend", unknownState: "unknown", finished: "Finished",
  s_received: "received", s_preparing: "preparing", s_waiting: "waiting", s_running: "running", s_answered: "answered", s_done: "done", s_failed: "failed", s_cancelled: "cancelled",
  s_prefill: "reading", s_refused: "refused", s_gone: "closed by the client",
  model: "Model server", inFlight: "{n} of {slots} slots in use", waiting: "{n} waiting", paused: "paused", served: "{n} served", refused: "{n} refused", peak: "peak {n}",
  minute: "Calls in flight, last minute", calls: "Calls", noCalls: "No calls right now.", tokens: "{in} in, {out} out", modelOff: "The model server does not answer.", pausedHidden: "",
  misbehave: "Misbehave", misbehaveText: "Break something on purpose and watch what Threadline does.", faultSent: "Sent: {what}", endAll: "End all faults", ended: "All faults ended.",
  slackFaults: "Slack", modelFaults: "Model server", eventFaults: "Events", shape: "Shape of the model server", apply: "Apply", slots: "Slots", speed: "Tokens per second", queue: "Queue",
  f_rate: "429 on the next post", f_server: "Server error on the next post", f_timeoutAfter: "Time-out after the effect", f_drop: "Cut the connection",
  f_oom: "Out of memory", f_loading: "Loading", f_down: "Down", f_slow: "Slow", f_cut: "Cut the stream", f_form: "Break the form", f_busy: "Busy (503)",
  f_dup: "Duplicate the next events", f_late: "Late events", f_socket: "Drop the socket", f_two: "Two events for one mention",
  thinking: "{name} {status}", working: "is working…", stop: "Stop", writing: "writing", archived: "This channel is archived.", justNow: "just now", person: "person", agoS: "{n} s ago", agoM: "{n} min ago",
};

const ko = {
  title: "Threadline 놀이터", tagline: "내 컴퓨터 안의 Slack과 모델 서버", skip: "메시지로 건너뛰기",
  actAs: "누구로 쓸까요", channels: "채널", direct: "다이렉트 메시지", apps: "앱", locale: "{name} 님의 언어", secondWindow: "{name} 님으로 새 창 열기",
  messages: "메시지", home: "홈", threadTitle: "스레드", thread: "{name} 스레드", closeThread: "스레드 닫기", noThread: "",
  send: "보내기", attach: "파일 첨부", shortcuts: "바로 가기", dropHere: "여기에 놓으면 첨부됩니다", removeFile: "{name} 빼기", mostFiles: "파일은 {n}개까지입니다",
  writeIn: "{name}에 메시지 쓰기", writeReply: "스레드에 답글 쓰기", composerHint: "Enter로 보내고 Shift+Enter로 줄을 바꿉니다",
  onlyYou: "나에게만 표시", edited: "(편집됨)", deleted: "삭제된 메시지입니다.", app: "앱", replies: "답글 {n}개", reply: "답글 1개", lastReply: "마지막 답글 {when}",
  replyInThread: "스레드에 답글 달기", more: "더 보기", edit: "편집", delete: "삭제", save: "저장", cancel: "취소", ok: "확인", close: "닫기", dismiss: "지우기",
  deleteTitle: "메시지를 삭제할까요?", deleteText: "삭제하면 아무도 볼 수 없습니다.", showMore: "모두 보기", showLess: "접기",
  emptyChannel: "아직 메시지가 없습니다.", emptyHint: "{command} 뒤에 글을 붙이거나 @{bot} 을 불러 보세요.", emptyDm: "봇에게 바로 쓰면 됩니다. 멘션은 필요 없습니다.",
  today: "오늘", yesterday: "어제", unread: "새 메시지 {n}개", announce: "{name}: {text}",
  notInThreads: "{command} 명령은 스레드에서 사용할 수 없습니다. 죄송합니다!",
  badCommand: "{command} 은(는) 올바른 명령이 아닙니다. Slack에서 \"/\"로 시작하는 메시지는 모두 명령으로 처리됩니다.",
  tooLong: "메시지는 40,000자까지인데 이 글은 {n}자입니다.", sendAsFile: "텍스트 파일로 보내기", tooLongTitle: "글이 너무 깁니다",
  dispatchFailed: "{what} 실패: 봇이 응답하지 않습니다. 실행 중인지 확인해 주세요.", slackTimeout: "{what} 실패(operation_timeout): 봇이 3초 안에 응답하지 않았습니다.",
  offline: "놀이터가 응답하지 않습니다. 다시 연결하는 중…", botOffline: "봇이 응답하지 않습니다. 지금 보내는 것은 Slack이 재시도하는 동안 봇이 돌아와야 전달됩니다.",
  failed: "처리하지 못했습니다: {why}", noUpload: "{name} 파일을 첨부하지 못했습니다: {why}", noDownload: "{name} 파일을 읽지 못했습니다: {why}", notHere: "이 서버에 없는 파일입니다",
  download: "{name} 내려받기", preview: "미리 보기", image: "이미지", choose: "선택…", optional: "(선택)", unknownBlock: "“{type}” 종류의 블록",
  homeEmpty: "봇이 아직 홈 화면을 게시하지 않았습니다.", homeTitle: "{name} 님의 홈", submit: "제출", submitting: "보내는 중…", fillIn: "필수 항목입니다. 입력해 주세요.",
  line: "줄", lineOff: "DATABASE_URL이 없어 Threadline의 줄을 볼 수 없습니다.", lineEmpty: "기다리는 사람이 없습니다.", lineUnread: "Threadline 데이터베이스가 아직 응답하지 않습니다.",
  next: "다음", nextCalls: "대기 중인 호출 {n}개. 다음 순서: {names}", slotsUsed: "슬롯 {limit}개 중 {n}개 사용", slotsHeld: "슬롯 사용: {names}", free: "없음",
  learned: "학습됨", learnedWhy: "이 서버가 견디는 호출 수를 Threadline이 스스로 알아냈습니다.", failures: "연속 실패 {n}회",
  tokensServed: "줄이 마지막으로 빈 뒤 받은 토큰", tokensServedWhy: "막대는 그 사람이 줄에 선 곳에서 시작하고, 기다리는 사람들의 오른쪽 끝은 나란합니다.", callsOf: "대기 {waiting} · 실행 {running} · 완료 {done}",
  ahead: "앞에 {n}개", nextOne: "다음 차례", leftBetween: "{from}~{to} 남음", leftUpTo: "{to} 이내", leftMore: "{from} 이상 남음", seconds: "{n}초", minutes: "{n}분",
  flood: "몰아치기", floodWho: "누가 몰아칠까요", floodCount: "요청 수", floodSends: "한꺼번에:", flooded: "{name} 님이 {n}개를 보냈습니다.",
  floodText: "이 사람으로 봇에게 짧은 글을 이만큼 바로 보냅니다. 그동안 다른 사람들도 묻게 하고 줄을 어떻게 나누는지 보세요.",
  jobs: "요청", backend: "백엔드", unknownState: "알 수 없음", finished: "끝난 요청",
  s_received: "받음", s_preparing: "준비 중", s_waiting: "대기", s_running: "실행 중", s_answered: "답변됨", s_done: "완료", s_failed: "실패", s_cancelled: "취소됨",
  s_prefill: "읽는 중", s_refused: "거절됨", s_gone: "요청한 쪽에서 닫음",
  model: "모델 서버", inFlight: "슬롯 {slots}개 중 {n}개 사용", waiting: "대기 {n}", paused: "일시 중지", served: "처리 {n}", refused: "거절 {n}", peak: "최고 {n}",
  minute: "최근 1분간 처리 중인 호출", calls: "호출", noCalls: "지금은 호출이 없습니다.", tokens: "입력 {in}, 출력 {out}", modelOff: "모델 서버가 응답하지 않습니다.", pausedHidden: "",
  misbehave: "고장 내기", misbehaveText: "일부러 고장 내고 Threadline이 어떻게 하는지 보세요.", faultSent: "보냄: {what}", endAll: "모든 고장 끝내기", ended: "모든 고장을 끝냈습니다.",
  slackFaults: "Slack", modelFaults: "모델 서버", eventFaults: "이벤트", shape: "모델 서버의 모양", apply: "적용", slots: "슬롯", speed: "초당 토큰", queue: "대기열",
  f_rate: "다음 글에 429", f_server: "다음 글에 서버 오류", f_timeoutAfter: "반영 뒤 시간 초과", f_drop: "연결 끊기",
  f_oom: "메모리 부족", f_loading: "불러오는 중", f_down: "꺼짐", f_slow: "느림", f_cut: "스트림 끊기", f_form: "형식 깨기", f_busy: "바쁨(503)",
  f_dup: "이벤트 중복", f_late: "늦은 이벤트", f_socket: "소켓 끊기", f_two: "멘션 하나에 이벤트 둘",
  thinking: "{name}: {status}", working: "작업 중…", stop: "멈추기", writing: "쓰는 중", archived: "보관된 채널입니다.", justNow: "방금", person: "사람", agoS: "{n}초 전", agoM: "{n}분 전",
};

const CATALOGUES = { en, ko };
let language = "en";

export const LOCALES = [["en-US", "English"], ["ko-KR", "한국어"]];
export const currentLanguage = () => language;

export function useLocale(locale = "en-US") {
  language = locale.slice(0, 2) in CATALOGUES ? locale.slice(0, 2) : "en";
  document.documentElement.lang = language;
}

export function t(key, fields = {}) {
  const sentence = CATALOGUES[language][key] ?? en[key] ?? key;
  return sentence.replace(/\{(\w+)\}/g, (_, name) => fields[name] ?? "");
}

/** What state a request or a call is in; a state that has no words here is its own. */
export const stateWord = (state) => CATALOGUES[language][`s_${state}`] ?? state;
