declare module 'node-vscp-class' {
  const classes: Readonly<Record<string, unknown>>;
  export default classes;
}
declare module 'node-vscp-type' {
  const types: Readonly<Record<string, unknown>>;
  export default types;
}
