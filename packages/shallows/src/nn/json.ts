/** What JSON can say: text, finite numbers, true, false, null, and lists and objects of them. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;

/** An object of {@link JsonValue}s. */
export interface JsonObject {
  readonly [key: string]: JsonValue;
}
