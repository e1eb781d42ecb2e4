-- transform: every operation, bad values, and lists of a hundred thousand items
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
SET statement_timeout = '60s';
CREATE FUNCTION t(config text, input jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE r jsonb;
BEGIN
	PERFORM wf_save('t', jsonb_build_object('nodes', jsonb_build_array(
		jsonb_build_object('id', 'n', 'type', 'transform', 'config', config::jsonb)), 'edges', '[]'::jsonb));
	r := wf_run('t', input);
	IF r->>'status' = 'completed' THEN RETURN r->'output'; END IF;
	RETURN concat_ws(' | ', r#>>'{error,code}', r#>>'{error,message}', r#>>'{error,hint}');
END $$;
CREATE FUNCTION wrong(config jsonb) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' | ', severity, code, path, message, hint)
	FROM wf_validate(jsonb_build_object('nodes', jsonb_build_array(
		jsonb_build_object('id', 'n', 'type', 'transform', 'config', config)), 'edges', '[]'::jsonb)) $$;

-- map
SELECT t('{"operation": "map", "items": [1, 2, 3], "expression": "$item * 2 + $index"}');
SELECT t('{"operation": "map", "items": [1, 2, 3], "expression": "x => x * $items.length"}');
SELECT t('{"operation": "map", "items": [1, 2], "expression": "(x, i, all) => ({x, i, n: all.length})"}');
SELECT t('{"operation": "map", "items": [{"a": {"b": 1}}, {}], "fields": {"v": "{{ $item.a?.b }}", "t": "no {{ $index }}", "c": true}}');
SELECT t('{"operation": "map", "items": [], "expression": "$item.a.b"}');
SELECT t('{"operation": "map", "items": [1], "expression": "$item.a.b"}') LIKE 'WF008 | %';
-- a value that is passed on keeps every digit
SELECT t('{"operation": "map", "items": [12345678901234567890.5], "expression": "$item"}');

-- filter
SELECT t('{"operation": "filter", "items": [1, 2, 3, 4], "expression": "$item % 2 === 0"}');
SELECT t('{"operation": "filter", "items": [1, 2, 3, 4], "expression": "(x, i) => i > 1"}');

-- reduce
SELECT t('{"operation": "reduce", "items": [1, 2, 3], "expression": "(acc, x) => acc + x", "initial": 10}');
SELECT t('{"operation": "reduce", "items": [1, 2, 3], "expression": "(acc, x) => acc + x"}');
SELECT t('{"operation": "reduce", "items": [], "expression": "(acc, x) => acc + x"}');
SELECT t('{"operation": "reduce", "items": [{"k": "a", "v": 1}, {"k": "b", "v": 2}], "expression": "(acc, x, i) => ({...acc, [x.k]: [x.v, i]})", "initial": {}}');
SELECT wrong('{"operation": "reduce", "items": [], "expression": "$item + 1"}');

-- aggregate: exact, and null is left out
SELECT t('{"operation": "aggregate", "items": [{"a": 0.1}, {"a": 0.2}, {"a": 123456789012345678901234567890}, {"a": null}, {}],
	"fields": {"sum": {"fn": "sum", "field": "a"}, "n": {"fn": "count"}, "na": {"fn": "count", "field": "a"}, "min": {"fn": "min", "field": "a"}, "max": {"fn": "max", "field": "a"}}}');
SELECT t('{"operation": "aggregate", "items": [{"a": 1}, {"a": 2}], "fields": {"avg": {"fn": "avg", "field": "a"}, "a": "sum", "count": "count"}}');
SELECT t('{"operation": "aggregate", "items": [], "fields": {"s": {"fn": "sum", "field": "a"}, "m": {"fn": "max", "field": "a"}, "v": {"fn": "avg", "field": "a"}, "c": "count"}}');
SELECT t('{"operation": "aggregate", "items": [3, 1, 2], "fields": {"s": {"fn": "sum"}, "m": {"fn": "min"}}}');
SELECT t('{"operation": "aggregate", "by": "k", "items": [{"k": "x", "a": 1}, {"k": "y", "a": 5}, {"k": "x", "a": 3}], "fields": {"a": "sum", "n": "count"}}');
SELECT t('{"operation": "aggregate", "by": ["k", "o.l"], "items": [{"k": 1, "o": {"l": 1}, "a": 1}, {"k": 1.0, "o": {"l": 1}, "a": 5}, {"k": 1, "a": 3}], "fields": {"a": "sum"}}');
SELECT t('{"operation": "aggregate", "expression": "$item.a > 2", "items": [{"a": 1}, {"a": 5}, {"a": 3}], "fields": {"a": "max"}}');
SELECT t('{"operation": "aggregate", "items": [{"a": "1"}], "fields": {"a": "sum"}}');
SELECT t('{"operation": "aggregate", "items": [], "fields": {"a": "median"}}');

-- sort: stable, null last
SELECT t('{"operation": "sort", "items": [3, 1, 10, 2]}');
SELECT t('{"operation": "sort", "items": ["b", null, 3, "a", true, [1], 1], "direction": "asc"}');
SELECT t('{"operation": "sort", "items": ["b", null, 3, "a", true, [1], 1], "direction": "desc"}');
SELECT t('{"operation": "sort", "by": "k", "items": [{"k": 2, "n": 1}, {"k": 1, "n": 2}, {"n": 3}, {"k": 2, "n": 4}, {"k": 1, "n": 5}]}');
SELECT t('{"operation": "sort", "by": "k desc", "items": [{"k": 2, "n": 1}, {"k": 1, "n": 2}, {"n": 3}, {"k": 2, "n": 4}, {"k": 1, "n": 5}]}');
SELECT t('{"operation": "sort", "by": ["k desc", {"field": "n", "direction": "desc"}], "items": [{"k": 2, "n": 1}, {"k": 1, "n": 2}, {"n": 3}, {"k": 2, "n": 4}, {"k": 1, "n": 5}]}');
SELECT t('{"operation": "sort", "expression": "-$item", "items": [3, 1, 2]}');
SELECT t('{"operation": "sort", "expression": "x => x.length", "direction": "desc", "items": ["a", "ccc", "bb", "ddd"]}');
SELECT t('{"operation": "sort", "by": {"name": "x"}, "items": [1]}');

-- unique, group
SELECT t('{"operation": "unique", "items": [1, 1.0, "1", {"a": 1, "b": 2}, {"b": 2, "a": 1}, null, null]}');
SELECT t('{"operation": "unique", "by": "k", "items": [{"k": 1, "n": 1}, {"k": 2, "n": 2}, {"k": 1, "n": 3}]}');
SELECT t('{"operation": "unique", "expression": "$item.length", "items": ["a", "b", "cc"]}');
SELECT t('{"operation": "group", "by": "k", "items": [{"k": "x", "n": 1}, {"k": "y", "n": 2}, {"k": "x", "n": 3}, {"n": 4}]}');
SELECT t('{"operation": "group", "by": ["k", "l"], "items": [{"k": 1, "l": 2}, {"k": 1, "l": 3}, {"k": 1, "l": 2}]}');
SELECT t('{"operation": "group", "expression": "$item % 2 ? ''odd'' : ''even''", "items": [1, 2, 3]}');

-- flatten, pick, rename, limit
SELECT t('{"operation": "flatten", "items": [1, [2, [3, [4]]], []]}');
SELECT t('{"operation": "flatten", "items": [1, [2, [3, [4]]], []], "depth": 2}');
SELECT t('{"operation": "flatten", "items": [1, [2]], "depth": 0}');
SELECT t('{"operation": "flatten", "by": "l", "items": [{"l": [1, 2]}, {"l": []}, {}, {"l": 3}]}');
SELECT t('{"operation": "pick", "fields": ["a", "o.b", "x.y"], "items": [{"a": 1, "o": {"b": 2}, "x.y": 3, "z": 4}, {"z": 5}]}');
SELECT t('{"operation": "rename", "fields": {"a": "b", "zz": "y"}, "items": [{"a": 1, "b": 2, "c": 3}, 7]}');
SELECT t('{"operation": "rename", "fields": {"a": "{{ $input.to }}"}, "items": [{"a": 1}]}', '{"to": 5}');
SELECT t('{"operation": "limit", "limit": 2, "items": [1, 2, 3, 4]}');
SELECT t('{"operation": "limit", "limit": 2, "offset": 3, "items": [1, 2, 3, 4]}');
SELECT t('{"operation": "limit", "offset": 9, "items": [1, 2, 3, 4]}');
SELECT t('{"operation": "limit", "limit": "{{ -1 }}", "items": [1]}');

-- split, zip
SELECT t('{"operation": "split", "size": 2, "items": [1, 2, 3, 4, 5]}');
SELECT t('{"operation": "split", "by": "tags", "items": [{"id": 1, "tags": ["a", "b"]}, {"id": 2, "tags": []}, {"id": 3}]}');
SELECT t('{"operation": "split", "by": "tags", "items": [{"id": 1, "tags": "a"}]}');
SELECT t('{"operation": "split", "separator": ", ", "items": "a, b,c, "}');
SELECT t('{"operation": "split", "separator": "", "items": "añ€"}');
SELECT t('{"operation": "split", "separator": ",", "items": "{{ $input.s }}"}', '{"s": ""}');
SELECT t('{"operation": "split", "separator": ",", "items": "{{ $input.s }}"}', '{"s": 5}');
SELECT t('{"operation": "zip", "items": [1, 2, 3], "with": ["a", "b"]}');
SELECT t('{"operation": "zip", "items": [1, 2], "with": ["a", "b"], "fields": ["n", "l"]}');
SELECT t('{"operation": "zip", "items": [[1, 2], [3], [4, 5]]}');
SELECT t('{"operation": "zip", "items": [1, 2]}');
SELECT t('{"operation": "zip", "items": [1], "with": [2], "fields": ["a"]}');

-- join
\set both '"items": [{"id": 1, "a": "x"}, {"id": 2, "a": "y"}, {"id": null, "a": "z"}], "with": [{"id": 2, "b": "p"}, {"id": 2, "b": "q"}, {"id": 3, "a": "r"}, {"id": null, "b": "s"}]'
SELECT t('{"operation": "join", "by": "id", ' || :'both' || '}');
SELECT t('{"operation": "join", "by": "id", "type": "left", ' || :'both' || '}');
SELECT t('{"operation": "join", "by": "id", "type": "right", ' || :'both' || '}');
SELECT t('{"operation": "join", "by": ["id"], "type": "full", "as": "other", ' || :'both' || '}');
SELECT t('{"operation": "join", "by": {"id": "ref", "k": "l"}, "items": [{"id": 1, "k": 1}, {"id": 1, "k": 2}], "with": [{"ref": 1, "l": 2, "v": true}]}');
SELECT t('{"operation": "join", "by": [], "items": [], "with": []}');

-- compare
SELECT t('{"operation": "compare", "by": "id", "items": [{"id": 1, "v": 1}, {"id": 2, "v": 1}, {"id": 3, "v": 1}], "with": [{"id": 2, "v": 1.0}, {"id": 3, "v": 2}, {"id": 4}]}');
SELECT t('{"operation": "compare", "items": [1, 1, 2], "with": [1, 3]}');

-- bad configs and values
SELECT wrong('{}');
SELECT wrong('{"operation": "mapp", "items": []}');
SELECT wrong('{"operation": "map", "items": []}');
SELECT wrong('{"operation": "map", "items": [], "expression": "1", "fields": {}}');
SELECT wrong('{"operation": "group", "items": []}');
SELECT wrong('{"operation": "limit", "items": [], "limit": 1, "size": 5}');
SELECT wrong('{"operation": "join", "items": []}');
SELECT wrong('{"operation": "map", "items": [], "expression": "x => "}');
SELECT t('{"operation": "sort", "items": "{{ $input.l }}"}', '{"l": null}');
SELECT t('{"operation": "sort", "items": "{{ $input.l }}"}', '{"l": {"a": 1}}');

-- a hundred thousand items
CREATE TABLE list AS SELECT jsonb_build_object('l', jsonb_agg(jsonb_build_object('id', i, 'k', i % 1000, 's', 'item ' || i))) AS input FROM generate_series(1, 100000) i;
CREATE FUNCTION big(config text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r jsonb;
BEGIN
	PERFORM wf_save('big', jsonb_build_object('nodes', jsonb_build_array(
		jsonb_build_object('id', 'n', 'type', 'transform', 'config', config::jsonb)), 'edges', '[]'::jsonb,
		'settings', '{"maxOutputSize": "100MB", "journal": "none"}'::jsonb));
	r := wf_run('big', (SELECT input FROM list));
	IF r->>'status' <> 'completed' THEN RETURN r->'error'; END IF;
	RETURN coalesce(r#>>'{output,count}', length(r->>'output')::text);
END $$;
SELECT big('{"operation": "map", "items": "{{ $input.l }}", "expression": "$item.id * 2"}');
SELECT big('{"operation": "filter", "items": "{{ $input.l }}", "expression": "$item.k === 7"}');
SELECT big('{"operation": "sort", "items": "{{ $input.l }}", "by": ["k desc", "s"]}');
SELECT big('{"operation": "unique", "items": "{{ $input.l }}", "by": "k"}');
SELECT big('{"operation": "group", "items": "{{ $input.l }}", "by": "k"}');
SELECT big('{"operation": "aggregate", "items": "{{ $input.l }}", "by": "k", "fields": {"id": "sum"}}');
SELECT big('{"operation": "join", "items": "{{ $input.l }}", "with": "{{ $input.l }}", "by": "id"}');
SELECT big('{"operation": "reduce", "items": "{{ $input.l }}", "expression": "(a, x) => a + x.id", "initial": 0}');
SELECT big('{"operation": "compare", "items": "{{ $input.l }}", "with": "{{ $input.l }}", "by": "id"}') > '0';
-- more pairs than may be kept are refused before they are made
SELECT left(big('{"operation": "join", "items": "{{ $input.l }}", "with": "{{ $input.l }}", "by": "k"}')::jsonb->>'code', 5);
