// On the search page: "10" finds page 10, and results have excerpts also where the site was opened as files.
{
  const found = Search._performSearch;
  Search._performSearch = (query, ...terms) => {
    const pages = (query.match(/\b\d{1,2}\b/g) ?? []).map(number => `${number.padStart(2, "0")}_`);
    const places = Search._index.docnames.flatMap((name, place) => pages.includes(name.slice(0, 3)) ? [place] : []);
    const results = found(query, ...terms).filter(result => !places.includes(Search._index.docnames.indexOf(result[0])));
    const { docnames, titles, filenames } = Search._index;
    // Sphinx shows the last result first.
    return [...results, ...places.map(place => [docnames[place], titles[place], "", null, 1e3, filenames[place], "title"])];
  };

  // The index knows stems ("entropi"): the excerpt begins at what the text has of them.
  const excerpt = Search.makeSearchSummary;
  Search.makeSearchSummary = (page, words, anchor) => {
    const text = Search.htmlToText(page, anchor).toLowerCase();
    const begun = word => [word, word.slice(0, -1), word.slice(0, -2)].find(part => text.includes(part)) ?? word;
    return excerpt(page, new Set([...words].map(begun)), anchor);
  };

  // A browser does not fetch a file for a page that is a file: texts.js has them all (conf.py writes it).
  const fetched = window.fetch;
  window.fetch = (address, ...rest) => {
    const text = globalThis.SITE_TEXTS?.[String(address).replace(/^.*\/|\.html.*$/g, "")];
    return text ? Promise.resolve({ text: async () => text }) : fetched(address, ...rest);
  };
}
