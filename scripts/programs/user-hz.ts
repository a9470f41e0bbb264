/** What /proc counts CPU time in, steps a second: 100 on every Linux that has a Node (USER_HZ). */
export const userHz = 100;
