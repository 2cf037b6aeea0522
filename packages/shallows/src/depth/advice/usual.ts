/** A top drop rate that a network was published with. */
export interface UsualRate {
  readonly name: string;
  /** Learnt elements; `null` where sizes of all kinds have the same rate. */
  readonly parameters: number | null;
  readonly drop: number;
}

/** Published rates of a family of models, and where they are from. */
export interface UsualRates {
  readonly source: string;
  readonly rates: readonly UsualRate[];
}

const torchvision = "torchvision's constructors (ConvNeXt, Swin, EfficientNet)";
const composer = 'MosaicML Composer, method card "Stochastic Depth (Block)"';
const rate = (name: string, millions: number | null, drop: number): UsualRate =>
  Object.freeze({ name, parameters: millions === null ? null : millions * 1e6, drop });
const residual: UsualRates = { source: composer, rates: [rate('ResNet-50', 25.6, 0.2), rate('ResNet-101', 44.5, 0.4)] };
const text: UsualRates = {
  source: 'Fan et al., "Reducing Transformer depth on demand with structured dropout", ICLR 2020, and fairseq',
  rates: [rate('LayerDrop', null, 0.2)],
};

/**
 * Top drop rates that networks were published with, by the names of `createModel`. Rates grow with size: a large network
 * has depth to spare.
 */
export const usualRates: Readonly<Record<string, UsualRates>> = Object.freeze({
  'cifar-resnet': {
    source: 'Huang et al., "Deep networks with stochastic depth", ECCV 2016',
    rates: [rate('ResNet-110', 1.7, 0.5), rate('ResNet-1202', 19.4, 0.5)],
  },
  resnet: residual,
  'preact-resnet': residual,
  convnext: {
    source: torchvision,
    rates: [
      rate('ConvNeXt-T', 28.6, 0.1),
      rate('ConvNeXt-S', 50.2, 0.4),
      rate('ConvNeXt-B', 88.6, 0.5),
      rate('ConvNeXt-L', 197.8, 0.5),
    ],
  },
  swin: {
    source: torchvision,
    rates: [rate('Swin-T', 28.3, 0.2), rate('Swin-S', 49.6, 0.3), rate('Swin-B', 87.8, 0.5)],
  },
  efficientnet: { source: torchvision, rates: [rate('EfficientNet', null, 0.2)] },
  vit: {
    source: 'Touvron et al., "DeiT III: revenge of the ViT", ECCV 2022',
    rates: [rate('ViT-S', 22, 0.05), rate('ViT-B', 86.6, 0.2), rate('ViT-L', 304.4, 0.45), rate('ViT-H', 632.1, 0.6)],
  },
  'transformer-encoder': text,
  'transformer-decoder': text,
});

/** The published rate of the network of a family that is nearest in size, by ratio; `null` for an unknown family. */
export function usualRateOf(
  family: string,
  parameters: number,
): { readonly usual: UsualRate; readonly source: string } | null {
  const known = Object.hasOwn(usualRates, family) ? usualRates[family] : undefined;
  const away = (each: UsualRate): number => Math.abs(Math.log((each.parameters ?? parameters) / parameters));
  const usual = known?.rates.reduce((best, each) => (away(each) < away(best) ? each : best));
  return known === undefined || usual === undefined ? null : { usual, source: known.source };
}
