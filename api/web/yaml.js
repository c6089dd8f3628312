// Reads as much of YAML as openapi.yaml uses: maps and lists in blocks or in one line, plain and quoted scalars, and
// text over several lines (| and >-). Anything else causes an error, and never a wrong value.

export function parseYaml(text) {
  const lines = text.split('\n').map((line) => ({ indent: line.search(/\S|$/), text: line.trim() }));
  let at = 0;

  const isEmpty = ({ text: content }) => content === '' || content.startsWith('#');
  const skipEmpty = () => {
    while (at < lines.length && isEmpty(lines[at])) at += 1;
  };
  const wrong = () => new Error(`openapi.yaml, line ${at + 1}: not understood`);

  function block(indent) {
    return lines[at].text.startsWith('- ') ? list(indent) : map(indent);
  }

  function list(indent) {
    const values = [];
    for (skipEmpty(); at < lines.length && lines[at].indent === indent && lines[at].text.startsWith('- '); skipEmpty()) {
      const rest = lines[at].text.slice(2).trim();
      if (/^[{['"]/.test(rest) || !/^[^\s:]+:( |$)/.test(rest)) {
        values.push(inline(rest));
        at += 1;
      } else {
        // A map that begins after the dash.
        lines[at] = { indent: indent + 2, text: rest };
        values.push(map(indent + 2));
      }
    }
    return values;
  }

  function map(indent) {
    const values = {};
    for (skipEmpty(); at < lines.length && lines[at].indent === indent; skipEmpty()) {
      const entry = /^('(?:[^']|'')*'|[^\s'"{[:][^:]*):(?: (.*))?$/.exec(lines[at].text);
      if (!entry) throw wrong();
      const name = entry[1].startsWith("'") ? entry[1].slice(1, -1).replaceAll("''", "'") : entry[1];
      const rest = (entry[2] ?? '').trim();
      if (rest === '|' || rest === '>-') {
        values[name] = longText(indent, rest);
      } else if (rest !== '') {
        values[name] = inline(rest);
        at += 1;
      } else {
        at += 1;
        skipEmpty();
        if (at === lines.length || lines[at].indent <= indent) throw wrong();
        values[name] = block(lines[at].indent);
      }
    }
    if (at < lines.length && lines[at].indent > indent) throw wrong();
    return values;
  }

  function longText(indent, kind) {
    at += 1;
    const first = lines[at].indent;
    const paragraphs = [];
    for (; at < lines.length && (lines[at].text === '' || lines[at].indent > indent); at += 1) {
      paragraphs.push(lines[at].text === '' ? '' : ' '.repeat(lines[at].indent - first) + lines[at].text);
    }
    while (paragraphs.at(-1) === '') paragraphs.pop();
    if (kind === '|') return `${paragraphs.join('\n')}\n`;
    return paragraphs.join('\n').replace(/([^\n])\n([^\n])/g, '$1 $2').replace(/\n\n/g, '\n');
  }

  // A value within one line.
  function inline(source) {
    let rest = source;
    const take = (pattern) => {
      const found = pattern.exec(rest);
      if (found) rest = rest.slice(found[0].length);
      return found;
    };
    function value(ends) {
      take(/^\s+/);
      if (take(/^\{/)) return members('}', {}, (all) => {
        const name = String(value(/^[^\s,:{}[\]]+/));
        if (!take(/^\s*:\s/)) throw wrong();
        all[name] = value(/^[^,{}[\]]+/);
      });
      if (take(/^\[/)) return members(']', [], (all) => all.push(value(/^[^,{}[\]]+/)));
      const single = take(/^'((?:[^']|'')*)'/);
      if (single) return single[1].replaceAll("''", "'");
      const double = take(/^"(?:[^"\\])*"/);
      if (double) return double[0].slice(1, -1);
      const plain = take(ends);
      if (!plain || /^[&*!|>%@`]/.test(plain[0]) || /: | #/.test(plain[0])) throw wrong();
      return scalar(plain[0].trim());
    }
    function members(close, all, one) {
      take(/^\s+/);
      while (!rest.startsWith(close)) {
        one(all);
        take(/^\s*/);
        if (!take(/^,\s*/) && !rest.startsWith(close)) throw wrong();
      }
      rest = rest.slice(1);
      return all;
    }
    const result = value(/^.+/);
    if (rest.trim() !== '') throw wrong();
    return result;
  }

  skipEmpty();
  const all = block(0);
  skipEmpty();
  if (at < lines.length) throw wrong();
  return all;
}

function scalar(text) {
  if (text === 'true' || text === 'false') return text === 'true';
  if (text === 'null') return null;
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}
