// The emoji names that bots use most; an unknown name stays as it was written, like `:this:`.

const NAMES = {
  "+1": "👍", thumbsup: "👍", "-1": "👎", thumbsdown: "👎", wave: "👋", pray: "🙏", clap: "👏", raised_hands: "🙌", ok_hand: "👌",
  point_right: "👉", point_left: "👈", point_up: "☝️", point_down: "👇", muscle: "💪", eyes: "👀", brain: "🧠", robot_face: "🤖",
  smile: "😄", smiley: "😃", slightly_smiling_face: "🙂", grinning: "😀", joy: "😂", wink: "😉", thinking_face: "🤔", cry: "😢",
  sob: "😭", sweat_smile: "😅", confused: "😕", neutral_face: "😐", heart: "❤️", sparkles: "✨", star: "⭐", fire: "🔥", tada: "🎉",
  rocket: "🚀", zap: "⚡", bulb: "💡", warning: "⚠️", no_entry: "⛔", no_entry_sign: "🚫", octagonal_sign: "🛑", x: "❌",
  heavy_multiplication_x: "✖️", white_check_mark: "✅", heavy_check_mark: "✔️", ballot_box_with_check: "☑️", question: "❓",
  exclamation: "❗", information_source: "ℹ️", hourglass: "⌛", hourglass_flowing_sand: "⏳", stopwatch: "⏱️", clock1: "🕐",
  alarm_clock: "⏰", calendar: "📅", date: "📅", mag: "🔍", memo: "📝", pencil: "📝", pencil2: "✏️", page_facing_up: "📄",
  scroll: "📜", books: "📚", book: "📖", bookmark: "🔖", clipboard: "📋", file_folder: "📁", open_file_folder: "📂", paperclip: "📎",
  link: "🔗", bar_chart: "📊", chart_with_upwards_trend: "📈", chart_with_downwards_trend: "📉", inbox_tray: "📥", outbox_tray: "📤",
  email: "📧", speech_balloon: "💬", thought_balloon: "💭", bell: "🔔", no_bell: "🔕", lock: "🔒", unlock: "🔓", key: "🔑", gear: "⚙️",
  wrench: "🔧", hammer_and_wrench: "🛠️", package: "📦", arrow_right: "➡️", arrow_left: "⬅️", arrow_up: "⬆️", arrow_down: "⬇️",
  arrows_counterclockwise: "🔄", repeat: "🔁", red_circle: "🔴", large_blue_circle: "🔵", large_green_circle: "🟢",
  large_yellow_circle: "🟡", large_orange_circle: "🟠", white_circle: "⚪", black_circle: "⚫", large_blue_square: "🟦",
  large_green_square: "🟩", white_large_square: "⬜", globe_with_meridians: "🌐", kr: "🇰🇷", us: "🇺🇸", thread: "🧵", spool: "🧵",
  double_vertical_bar: "⏸️", pause_button: "⏸️", play_pause: "⏯️", black_square_for_stop: "⏹️", stop_button: "⏹️", skull: "💀",
};

export const emoji = (name) => NAMES[name.replace(/::skin-tone-\d$/, "")] ?? `:${name}:`;
