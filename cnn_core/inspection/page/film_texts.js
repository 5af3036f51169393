// What the film says, in each of its languages.

const TEXTS = {
  en: {
    play: "Play",
    pause: "Pause",
    epoch: "Epoch",
    loss: "Loss",
    lossHint: "J of the {count} samples that are watched, after each epoch; epoch 0 is before training.",
    sizes: "What flows through the layers",
    sizesHint: "Root mean square of a, δ and dW of every layer, on a logarithmic scale. A line of δ that falls towards the first layers is a vanishing gradient, one that rises an exploding one.",
    network: "The network",
    networkHint: "Weights as wide as they are large; blue is positive, orange and dashed negative.",
    surface: "What it predicts",
    surfaceHint: "The first output over both inputs: blue above its middle value, orange below. The dots are samples.",
    histograms: "Weights, activations, deltas",
    histogramsHint: "How many elements have which value; the ranges are those of all epochs.",
  },
  zh: {
    play: "播放",
    pause: "暂停",
    epoch: "轮次",
    loss: "损失",
    lossHint: "每一轮之后 {count} 个观察样本上的 J；第 0 轮是训练之前。",
    sizes: "流过各层的量",
    sizesHint: "各层 a、δ 与 dW 的均方根，对数刻度。δ 的线向前几层下降就是梯度消失，上升就是梯度爆炸。",
    network: "网络",
    networkHint: "线的粗细表示权重的大小；蓝色为正，橙色虚线为负。",
    surface: "预测",
    surfaceHint: "第一个输出随两个输入的变化：蓝色高于中间值，橙色低于中间值。圆点是样本。",
    histograms: "权重、激活值与误差",
    histogramsHint: "取各个值的元素有多少；范围取自所有轮次。",
  },
};
