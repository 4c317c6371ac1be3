// What the page says, in both languages; a function where numbers or names come in.

const many = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
const percent = (share) => `${(100 * share).toFixed(1).replace(/\.0$/, "")} %`;

export const WORDS = {
  en: {
    title: "Spot check", help: "Help", figures: "The gate and agreement", system: "System message", prompt: "Prompt", answer: "Answer",
    first: "Left answer", second: "Right answer", note: "Note", keys: "Keys", close: "Close", correct: "Correct the answer", save: "Save",
    cancel: "Cancel", reasoning: "Reasoning", other: "中文", verdict: "Verdict", source: "as written",
    reviewer: (name) => `as ${name}`,
    count: (read, all) => `${read} of ${all} rows read`,
    place: (n, all) => `Row ${n} of ${all}`,
    kinds: { sft: "answer", preference: "pair" },
    purposes: { gate: "decides the gate", audit: "audit" },
    accept: "Accept", reject: "Reject", fix: "Fix", undo: "Undo", previous: "Previous", next: "Next",
    leftBetter: "Left is better", rightBetter: "Right is better", equal: "Equal", bothBad: "Both bad",
    why: { reject: "Why is it rejected?", fix: "What is wrong with it?" },
    side: "Which answer do you start from?", left: "Left", right: "Right",
    actions: { accept: "accepted", reject: "rejected", fix: "fixed", first: "left is better", second: "right is better", equal: "equal" },
    mine: (action, reason) => `Your verdict: ${action}${reason ? `: ${reason}` : ""}`,
    saved: (action) => `Saved: ${action}.`,
    undone: "Taken back.", saving: "Saving …", done: "All rows are read. The next `synth-assets run` takes your verdicts into account.",
    needsNote: "Write a note first, then press Enter.", sameText: "Change the text first: a correction must be a new one.",
    lost: "Not saved: the server does not answer. Press Enter to try again; Esc discards.",
    lostRow: "The row cannot be loaded: the server does not answer. Press Enter to try again.",
    pairOnly: "This row is a pair: say which answer is better, 1 or 2.",
    gate: (g) => `${g.title}: ${g.read} of ${many(g.rows, "gate row")} read. `
      + (g.bound === null ? "" : `${many(g.defects, "defect")}: the defect rate is `
        + (g.rows === g.lot ? `${percent(g.bound)}, all rows being read. ` : `at most ${percent(g.bound)} (95 % bound). `))
      + `The limit of ${percent(g.limit)} needs ${many(g.needed, "row")} without a defect; `
      + (g.allowed === null ? `this sample of ${g.rows} is too small for it.` : `this sample of ${g.rows} may have ${many(g.allowed, "defect")}.`)
      + (g.required ? " The mix waits for all of them to be read." : " The mix does not wait for them to be read."),
    agreement: (a, other) => `Agreement with ${other}: ${a.agreed} of ${a.rows} rows`
      + (a.kappa === null ? "" : `, Cohen's kappa ${a.kappa.toFixed(2)}`),
    alone: "Nobody else has read rows of this sample.",
    keyList: [
      ["a", "accept"], ["r", "reject, then a key for the reason"], ["f", "fix: a reason, then correct the answer"],
      ["1 2 3 4", "for a pair: left is better, right is better, equal, both bad"], ["u", "undo your newest verdict"],
      ["j k → ←", "next and previous row"], ["g", "show or hide the reasoning"], ["s", "show the texts as written"],
      ["n", "write a note that goes with the verdict"], ["l", "English or Chinese"], ["?", "these keys"], ["Esc", "leave what was begun"],
    ],
  },
  zh: {
    title: "抽检", help: "帮助", figures: "关卡与一致性", system: "系统消息", prompt: "提示", answer: "回答",
    first: "左侧回答", second: "右侧回答", note: "备注", keys: "按键", close: "关闭", correct: "修改回答", save: "保存",
    cancel: "取消", reasoning: "推理过程", other: "English", verdict: "判定", source: "原文",
    reviewer: (name) => `审阅人：${name}`,
    count: (read, all) => `已读 ${read} / ${all} 行`,
    place: (n, all) => `第 ${n} 行，共 ${all} 行`,
    kinds: { sft: "单一回答", preference: "偏好对" },
    purposes: { gate: "决定关卡", audit: "审查" },
    accept: "接受", reject: "拒绝", fix: "修改", undo: "撤销", previous: "上一行", next: "下一行",
    leftBetter: "左侧更好", rightBetter: "右侧更好", equal: "不分高下", bothBad: "都不好",
    why: { reject: "为什么拒绝？", fix: "哪里有问题？" },
    side: "从哪个回答开始修改？", left: "左侧", right: "右侧",
    actions: { accept: "已接受", reject: "已拒绝", fix: "已修改", first: "左侧更好", second: "右侧更好", equal: "不分高下" },
    mine: (action, reason) => `您的判定：${action}${reason ? `（${reason}）` : ""}`,
    saved: (action) => `已保存：${action}。`,
    undone: "已撤销。", saving: "正在保存……", done: "全部读完。下次运行 `synth-assets run` 时会采用您的判定。",
    needsNote: "请先写备注，再按回车键。", sameText: "请先修改文字：修改后的回答不能与原文相同。",
    lost: "未保存：服务器没有响应。按回车键重试，按 Esc 放弃。",
    lostRow: "无法载入：服务器没有响应。按回车键重试。",
    pairOnly: "这一行是偏好对：请按 1 或 2 选择更好的回答。",
    gate: (g) => `${g.title}：关卡样本已读 ${g.read} / ${g.rows} 行。`
      + (g.bound === null ? "" : `缺陷 ${g.defects} 行：缺陷率`
        + (g.rows === g.lot ? `为 ${percent(g.bound)}（全部行已读）。` : `不超过 ${percent(g.bound)}（95 % 置信上限）。`))
      + `上限 ${percent(g.limit)} 需要 ${g.needed} 行无缺陷；`
      + (g.allowed === null ? `现有 ${g.rows} 行的样本太小。` : `现有 ${g.rows} 行的样本最多允许 ${g.allowed} 个缺陷。`)
      + (g.required ? "全部读完后才能混合。" : "混合不等待审阅。"),
    agreement: (a, other) => `与 ${other} 一致：${a.rows} 行中的 ${a.agreed} 行` + (a.kappa === null ? "" : `，Cohen's kappa ${a.kappa.toFixed(2)}`),
    alone: "还没有其他人读过这个样本。",
    keyList: [
      ["a", "接受"], ["r", "拒绝，再按原因键"], ["f", "修改：先选原因，再改回答"],
      ["1 2 3 4", "偏好对：左侧更好、右侧更好、不分高下、都不好"], ["u", "撤销最近一次判定"],
      ["j k → ←", "下一行、上一行"], ["g", "展开或折叠推理过程"], ["s", "显示原文"],
      ["n", "写一条随判定保存的备注"], ["l", "英文或中文"], ["?", "显示按键"], ["Esc", "放弃正在进行的操作"],
    ],
  },
};
