export const handbook = 1;
