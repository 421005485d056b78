/** What the board's page does in a browser. */
document.documentElement.dataset['scripted'] = '';
