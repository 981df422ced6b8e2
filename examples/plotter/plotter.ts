// A device that one job at a time may use. It keeps no list of who has a lock: it only refuses who had it before.

import { PermanentError } from "everstep";

let newest = 0;
let isDrawing = false;
const drawn: string[] = [];

export const plotter = {
  async draw(name: string, fencingToken: number): Promise<string> {
    if (fencingToken < newest) throw new PermanentError(`${name} comes too late: the plotter is another run's by now`);
    newest = fencingToken;
    if (isDrawing) throw new PermanentError(`${name} is drawn over another drawing`);
    isDrawing = true;
    await new Promise((resolve) => setTimeout(resolve, 5));
    isDrawing = false;
    drawn.push(name);
    return `sheet ${drawn.length}`;
  },
};
