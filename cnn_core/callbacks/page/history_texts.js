// What the page of a history says, in each of its languages.

const TEXTS = {
  en: {
    epoch: "Epoch",
    best: "Best epoch: {epoch}",
    bestHint: "The best epoch is the one with the best {monitor}: an upright line in every picture, a marked row in the table.",
    hint: "Choose an epoch with the slider, the arrow keys, a click into a picture or a row.",
    log: "Logarithmic",
    training: "training",
    validation: "validation",
    learningRate: "Learning rate",
    table: "All epochs",
  },
  zh: {
    epoch: "轮次",
    best: "最佳轮次：{epoch}",
    bestHint: "最佳轮次是 {monitor} 最好的一轮：各图中的竖线，表中标出的一行。",
    hint: "用滑块或方向键选择轮次，也可以点击图或表中的一行。",
    log: "对数刻度",
    training: "训练",
    validation: "验证",
    learningRate: "学习率",
    table: "所有轮次",
  },
};
