/** The module that is served beside the page's own: uPlot as its package has it. */
import uPlot from 'uplot';

export default uPlot;
