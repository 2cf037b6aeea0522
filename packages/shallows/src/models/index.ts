export * from './cifar-resnet.js';
export { Convnext, type ConvnextOptions, type ConvnextSize, convnext } from './convnext.js';
export { Efficientnet, type EfficientnetOptions, type EfficientnetSize, efficientnet } from './efficientnet.js';
export { LstmModel, type LstmOptions, lstm } from './lstm.js';
export { Mlp, type MlpActivation, type MlpDropout, type MlpOptions, mlp } from './mlp.js';
export { PreactResnet, type PreactResnetOptions, preactResnet } from './preact-resnet.js';
export * from './registry.js';
export { ResidualMlp, type ResidualMlpOptions, residualMlp } from './residual-mlp.js';
export { Resnet, type ResnetOptions, resnet } from './resnet.js';
export type { ResnetDepth, ResnetShapeOptions, ResnetStem } from './resnet-shape.js';
export type { SequenceReading } from './sequence-reading.js';
export { type SwinOptions, SwinTransformer, swin, swinSizes } from './swin.js';
export { TransformerBlock, type TransformerBlockOptions } from './transformer-block.js';
export { TransformerDecoder, type TransformerDecoderOptions, transformerDecoder } from './transformer-decoder.js';
export { TransformerEncoder, type TransformerEncoderOptions, transformerEncoder } from './transformer-encoder.js';
export type { TransformerOptions } from './transformer-options.js';
export {
  type Positions,
  sinusoidalPositions,
  TokenEmbedding,
  type TokenEmbeddingOptions,
} from './transformer-tokens.js';
export { VisionTransformer, type VitOptions, vit, vitSizes } from './vit.js';
