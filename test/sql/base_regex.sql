-- regular expressions: what JavaScript means, on PCRE2
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
\pset null -
CREATE FUNCTION test_regex(pattern text, flags text, subject text, start int) RETURNS jsonb
	AS '$libdir/workflow', 'wf_sql_test_regex' LANGUAGE C STRICT;
-- The groups of the first match, `-` when there is none, or why the pattern is refused.
CREATE FUNCTION m(pattern text, flags text, VARIADIC subjects text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE s text; r jsonb; o text := '';
BEGIN
	FOREACH s IN ARRAY subjects LOOP
		r := test_regex(pattern, flags, s, 0);
		IF r ? 'refused' THEN RETURN 'refused: ' || (r->>'refused'); END IF;
		o := o || CASE WHEN o = '' THEN '' ELSE ' ' END || coalesce(nullif(r->>'at', '0') || ':', '') || coalesce(r->>'groups', '-');
	END LOOP;
	RETURN o;
END $$;
-- Of a range of code points, those that match.
CREATE FUNCTION points(pattern text, flags text, lo int, hi int) RETURNS text
	AS '$libdir/workflow', 'wf_sql_test_regex_points' LANGUAGE C STRICT;

-- characters and classes
SELECT points('^\s$', '', 1, 65535);
SELECT points('^\w$', '', 1, 1000), points('^\d$', 'u', 1, 10000);
SELECT points('^\w$', 'iu', 128, 65535), points('^\w$', 'i', 128, 65535), points('[^\W]', 'iu', 128, 65535);
SELECT points('^[^\s\S]$', '', 1, 100), points('^[\s\S]$', '', 1, 5), points('[]', '', 1, 5), points('^[^]$', '', 1, 5);
SELECT m('^.$', '', E'\n', E'\r', chr(8232), chr(8233), chr(133), 'a'), m('^.$', 's', E'\n', chr(8232));
SELECT m('a.c', '', 'abc', E'a\nc'), m('[a-c]+', '', 'xbcad'), m('[^a-c]+', '', 'abxyc'), m('[-a]+', '', 'a-a'), m('[a\-z]+', '', 'a-z'), m('[\]\\]+', '', ']\]');
SELECT m('[\b]', '', E'\b', 'b'), m('\x41\u0042\cJ\0', '', 'x'), m('\x41\u0042\t', '', E'AB\t'), m('\u{42}', 'u', 'B'), m('\u{42}', '', repeat('u', 42)), m('[\d-x]+', '', '1-x');

-- anchors and boundaries: the end is the end
SELECT m('^a$', '', 'a', E'a\n', E'\na'), m('^a$', 'm', 'a', E'a\n', E'b\ra', 'b' || chr(8232) || 'a');
SELECT m('\bfoo\b', '', 'a foo b', 'afoo', 'foo_', 'foo-'), m('\Bo', '', 'o', 'fo'), m('\bé', '', 'é', 'aé'), m('\bk', 'iu', chr(383) || 'k'), m('\bk', 'i', chr(383) || 'k');

-- groups, references, names
SELECT m('(a)(b)?(c)', '', 'ac', 'abc'), m('(a)\1', '', 'aa'), m('\1(a)', '', 'a'), m('(?:(a)|b)\1', '', 'aa', 'b'), m('(a\1)', '', 'a');
SELECT m('(?<year>\d{4})-(?<m>\d\d)', '', 'on 2024-05-06'), m('(?<a>.)\k<a>', '', 'xyy'), m('\k<a>(?<a>x)', '', 'x'), m('(?<ä>x)\k<ä>', '', 'xx'), m('(?<𝒜>x)\k<𝒜>', '', 'xx');
SELECT test_regex('(?<year>\d{4})-(?<m>\d\d)?', '', 'on 2024-', 0);
SELECT m('(?<a>x)\k<b>', '', 'x'), m('\k<b>', '', 'k<b>'), m('\k<b>', 'u', 'x'), m('(?<a>x)(?<a>y)', '', 'x'), m('(?<1>x)', '', 'x'), m('(?<a', '', 'x'), m('\1', 'u', 'x'), m('\1', '', chr(1)), m('\8', '', '8');

-- loops: captures are forgotten, empty iterations are rejected
SELECT m('(z)((a+)?(b+)?(c))*', '', 'zaacbbbcac'), m('(?:(a)|(b)|(c))+', '', 'abc', 'cab'), m('(?:(a)|b)*', '', 'ab', 'ba');
SELECT m('(a*)*', '', 'b', 'aab'), m('(a*)+', '', 'b', 'aab'), m('(?:|a)*', '', 'aa'), m('(?:|a)+', '', 'aa'), m('(?:|a)?', '', 'a'), m('(?:a*?)*', '', 'aa'), m('(|a)*', '', 'aa'), m('(a??)*?b', '', 'aab');
SELECT m('(?:(x)|y)*\1z', '', 'xyz', 'yxxz', 'xyxz'), m('(?=(a))*b', '', 'b'), m('(?=(a))+a', '', 'a'), m('(?:(?=(a))a)*', '', 'aa'), m('(?:a(\d*)|b)+', '', 'a12b', 'ba1');
SELECT m('((a)|b){2}', '', 'ab', 'ba'), m('(a){0}b\1', '', 'b'), m('(?:(a)|b){0,1}', '', 'b'), m('x{2}y{1,}z{0,2}?', '', 'xxyz');
SELECT m('(|a){2,}', '', 'a'), m('(?:(?=(a))|b)+', '', 'a'), m('(?:x?(\d*)y?|b)+', '', 'b');

-- looking around
SELECT m('a(?=b)', '', 'ac', 'ab'), m('a(?!b)', '', 'ab', 'ac'), m('(?<=a)b', '', 'bab'), m('(?<!a)b', '', 'ab', 'cb'), m('(?<=ab|c)d', '', 'cd', 'abd', 'bd'), m('(?<=(a)(b))c', '', 'abc'), m('(?<=^a{3})b', '', 'aaab', 'xaaab');
SELECT m('(?<=a+)b', '', 'ab'), m('(?<=(a)\1)b', '', 'aab'), m('(?<=(a){2})b', '', 'aab'), m('(?<=a)*b', '', 'ab');

-- case
SELECT points('k', 'i', 1, 65535), points('k', 'iu', 1, 65535), points('ſ', 'i', 1, 65535), points('ſ', 'iu', 1, 65535), points('ß', 'i', 1, 65535), points('ß', 'iu', 1, 65535), points('σ', 'i', 1, 65535), points('Ω', 'i', 1, 65535), points('Ω', 'iu', 1, 65535), points('İ', 'iu', 1, 65535), points('i', 'iu', 1, 65535), points('𐐀', 'iu', 66560, 66639);
SELECT points('[^x]', 'i', 115, 125), points('[j-l]', 'iu', 64, 65535), points('[^\u0000-\uffff]', 'iu', 65535, 65537), m('(k)\1', 'i', 'kK', 'k' || chr(8490)), m('(k)\1', 'iu', 'kK', 'k' || chr(8490)), m('(ä+)-\1', 'i', 'äÄ-ÄÄ');

-- code units without u, code points with it
SELECT m('^.$', '', '😀'), m('^.$', 'u', '😀'), m('^..$', '', '😀'), m('^[^x]{2}$', '', '😀', 'é'), m('😀{2}', '', '😀😀'), m('😀{2}', 'u', '😀😀'), m('[😀]', 'u', 'a😀'), m('^[😀😁]$', '', '😀'), m('\ud83d\ude00', '', 'a😀'), m('\ud83d\ude00', 'u', 'a😀'), m('\ud83d', '', '😀'), m('\ud83d', 'u', '😀'), m('(.)b', '', 'é😀b'), m('a(.*)b', '', 'a😀é😀b');
SELECT m('\p{L}+', 'u', '1äß٣x'), m('\P{L}+', 'u', 'a12b'), m('\p{Script=Greek}+', 'u', 'aβγ'), m('\p{sc=Grek}', 'u', 'β'), m('\p{scx=Deva}', 'u', chr(2404)), m('[\p{Lu}\d]+', 'u', 'aB1c'), m('\p{Lu}', 'iu', 'b'), m('[^\P{Lu}]', 'iu', 'b', 'B'), m('\p{ASCII}', 'u', 'äa'), m('\p{Assigned}', 'u', 'a'), m('\p{General_Category=Decimal_Number}', 'u', '٣'), m('\p{Emoji_Presentation}', 'u', '😀');
SELECT m('\p{greek}', 'u', 'x'), m('\p{Greek}', 'u', 'x'), m('\p{lu}', 'u', 'x'), m('\p{L&}', 'u', 'x'), m('\p{Script=}', 'u', 'x'), m('\p{}', 'u', 'x'), m('\p', 'u', 'x'), m('\pL', 'u', 'x'), m('\p{L}', '', 'p{L}');

-- sets of flag v
SELECT m('[\w--[aeiou]]+', 'v', 'aebcd'), m('[\p{L}&&[a-zα-ω]]+', 'v', 'ÄAbγ1'), m('[^\d[xy]]+', 'v', '1xab'), m('[[a-c]--b--c]+', 'v', 'cba'), m('[\q{a|b}z]+', 'v', 'xabz'), m('[^\p{Lu}]', 'vi', 'a', '1'), m('[]', 'v', 'a');
SELECT m('[a--b&&c]', 'v', 'a'), m('[a&&&b]', 'v', 'a'), m('[(]', 'v', '('), m('[\(]', 'v', '('), m('[a&&b]', 'v', 'a'), m('[\q{ab}]', 'v', 'ab'), m('[a-]', 'v', 'a'), m('[!!]', 'v', '!'), m('[[a]', 'v', 'a');

-- what JavaScript refuses, with u more of it; what PCRE2 alone knows is no syntax
SELECT p, m(p, '', 'x'), m(p, 'u', 'x') FROM unnest(ARRAY['(', ')', '[', 'a**', '*a', '+', '?', '{1}', 'a{2,1}', 'a{1', '{', '}', ']', '\', '(?', '(?a)', '(?i)a', '(?i:a)', '(?>a)', '(?#a)', '(?P<n>a)', '(?|a|b)', '(?R)', '(?1)', '(?&n)', '(*FAIL)a', 'a++', 'a?+', '\a', '\e', '\z', '\A', '\Z', '\G', '\K', '\Q.\E', '\h', '\R', '\X', '\N', '\x', '\x4', '\u004', '\u{}', '\u{110000}', '\c', '\c1', '[\c1]', '\07', '\00', '\-', '[b-a]', '[a-\d]', '[[:alpha:]]', '(?<=a)+', '(?=a)+', '^*', '\b+', 'a{65536}', 'a{,3}', 'x{0,0}', '(?<n>', '\k', '\k<n']) AS p;
SELECT m('a', f, 'a') FROM unnest('{gimsuyd,v,uv,gg,x}'::text[]) AS f;

-- from a place in the subject, and only there with y
SELECT test_regex('a', '', 'aba', 1), test_regex('a', 'y', 'aba', 1), test_regex('a', 'y', 'aba', 2), test_regex('^a', '', 'aa', 1), test_regex('(?<=b)a', 'y', 'ba', 1), test_regex('.', '', '😀a', 4), test_regex('$', '', 'ab', 2);

-- everyday patterns
SELECT m('^[^\s@]+@[^\s@]+\.[^\s@]+$', '', 'a.b+c@example.co', 'a b@c.d'), m('^(\+\d{1,2}\s?)?\(?\d{3}\)?[\s.-]?\d{3}[\s.-]?\d{4}$', '', '(555) 123-4567'), m('^#?([a-f0-9]{6}|[a-f0-9]{3})$', 'i', '#A3C113');
SELECT m('^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$', '', '192.168.0.255', '192.168.0.256'), m('^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$', '', '1.2.3-rc.1+b5', '1.2');
SELECT m('^(?=.*[A-Z])(?=.*\d)(?=.*[^\w\s]).{8,}$', '', 'Passw0rd!', 'password'), m('(https?):\/\/([^\/:]+)(?::(\d+))?(\/[^?#]*)?(?:\?([^#]*))?', '', 'see https://x.test:8080/a/b?c=d#e'), m('"((?:[^"\\]|\\.)*)"', '', 'say "a\"b" now'), m('^\s+|\s+$', 'g', '  a '), m('(\w+)\s\1', 'i', 'the The cat');
SELECT m('^([1-9]\d{0,2}(?:,\d{3})*|0)(?:\.(\d+))?$', '', '1,234,567.89', '1,23'), m('<([a-z]+)([^<]*)(?:>(.*)<\/\1>|\s+\/>)', '', '<b class="x">bold</b>');

-- bounds
\set VERBOSITY sqlstate
SELECT m('^(?:a|a)*[bc]$', '', repeat('a', 40));
SELECT m('(x+x+)+[yz]', 'u', repeat('x', 100));
SELECT m('a*[bc]', '', repeat('a', 200000));
SELECT m('(a*)\1[bc]', '', repeat('a', 200000));
SELECT m('(.*)(.*)(.*)(.*)x', '', repeat('a', 2000) || 'y' || repeat('x', 0));
SELECT length(m('(?:a|b)*', '', repeat('ab', 100000)));
SELECT m('[^x]y', '', repeat('z', 1000000) || 'y');
SELECT m(repeat('(', 200) || repeat(')', 200), '', 'a'), m(repeat('[', 200) || repeat(']', 200), 'v', 'a'), m(repeat('a', 40000), '', 'a'), left(m('(((a{100}){100}){100}){100}', '', 'a'), 40), left(m(repeat('(?:a*|b)+', 300), '', 'a'), 40);
