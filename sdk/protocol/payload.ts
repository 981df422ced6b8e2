/** A value in stored form: JSON text, or null for `undefined`. */
export type Payload = string | null;
