/*
 * regex.c: JavaScript's regular expressions, compiled to PCRE2 and matched within bounds.
 *
 * A pattern is parsed by ECMAScript's grammar, translated, and only then compiled by PCRE2 (see
 * regex_emit.c for what the translation takes care of). Whatever has no exact translation is
 * refused with the reason; nothing is matched nearly right.
 *
 * Characters. With flags u or v a pattern matches code points, and the subject is matched as it
 * stands. Without them JavaScript matches UTF-16 code units: a subject that has characters beyond the
 * BMP is then rewritten with each of them as its two surrogates (in the three-byte form that UTF-8
 * would give them), provided that the pattern can tell the difference.
 *
 * Bounds. PCRE2's own limit is per starting point, so that a search through a long text has none in
 * effect. The translation therefore has a callout at its start and at the exit of every loop, which
 * counts, looks for a pending interrupt, and ends the match when it has cost too much: a tenth to a
 * fifth of a second, more in proportion to a long subject. A step costs more in a long pattern, as it
 * may go further; a reference to a group costs by what the group holds. PCRE2's optimisation that
 * makes loops possessive is off, since it would run through a text without passing a callout.
 *
 * Lookbehinds of no fixed length are patterns of their own, written backwards, which a callout matches on the
 * subject written backwards: at once what JavaScript does, at the same cost, on the same bill.
 *
 * Nothing throws across PCRE2's frames: its memory comes from the regex's context through an allocator
 * that returns NULL, callouts only compare numbers, and what went wrong is thrown when pcre2_match has
 * returned. So there is nothing to release but memory, which goes with its context.
 *
 * Not used: PCRE2's just-in-time compiler, whose limits are coarser and whose stack is its own.
 */
#include "postgres.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/compat.h"
#include "base/error.h"
#include "base/regex.h"
#include "base/regex_internal.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#define MOST_PATTERN_BYTES (32 * 1024)
#define COST 5000000				/* about 100 to 200 ms */
#define COST_PER_BYTE 4
#define MOST_COST 40000000
#define COMPARED_BYTES 256		/* in a reference to a group, for one unit of cost */
#define HEAP_KB (64 * 1024)
#define KEPT_BYTES (256 * 1024)	/* of PCRE2's working memory between two matches */

/* A lookbehind as a pattern of its own. */
typedef struct Behind
{
	pcre2_code *code;
	pcre2_match_data *match;
	bool		negative;
} Behind;

struct WfRegex
{
	MemoryContext memory;
	pcre2_general_context *general;
	pcre2_code *code;
	pcre2_match_context *limits;
	pcre2_match_data *match;	/* made again when its memory has grown large */
	Size		match_bytes;	/* allocated by PCRE2 while matching */
	Behind	   *behinds;		/* by the number in the tree's checks */
	/* what was made of the last subject, for the calls that go on in it: */
	char	   *mirror;			/* from right to left */
	const char *mirrored;		/* what that is of */
	int			mirrored_len;
	char	   *split;			/* with two surrogates for each character beyond the BMP */
	int			split_len;
	const char *split_of;
	int			split_of_len;
	int			cursor_split;	/* where a search began, in both */
	int			cursor_original;
	Size		made_bytes;		/* by making these, since wf_regex_cost was asked */
	uint64		last_cost;		/* of the last match */
	WfRegexTree *tree;			/* groups and checks; its nodes stay for the markers */
	bool		by_units;		/* neither u nor v, and the pattern can tell */
	/* the subject last found to be without characters beyond the BMP, for calls that go on in it */
	const char *plain_subject;
	int			plain_len;
};

/* What callouts look at; on the stack of wf_regex_match. */
typedef struct Matching
{
	WfRegex    *regex;
	const char *subject;
	int			len;
	uint64		cost;
	uint64		most_cost;
	bool		patient;		/* a pending interrupt was looked at and did not end anything */
} Matching;

/* -- memory -- */

typedef struct Block
{
	Size		size;
	Size	   *counter;
	char		data[FLEXIBLE_ARRAY_MEMBER];
} Block;

/* PCRE2's allocator; must not throw. `arg` is the regex, or NULL: CurrentMemoryContext. */
static void *
regex_alloc(PCRE2_SIZE size, void *arg)
{
	WfRegex    *regex = arg;
	Block	   *block;

	if (size > MaxAllocHugeSize - sizeof(Block) - 64)
		return NULL;
	block = MemoryContextAllocExtended(regex == NULL ? CurrentMemoryContext : regex->memory,
									   MAXALIGN(offsetof(Block, data)) + size, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (block == NULL)
		return NULL;
	block->size = size;
	block->counter = regex == NULL ? NULL : &regex->match_bytes;
	if (block->counter != NULL)
		*block->counter += size;
	return (char *) block + MAXALIGN(offsetof(Block, data));
}

static void
regex_free(void *pointer, void *arg)
{
	Block	   *block;

	if (pointer == NULL)
		return;
	block = (Block *) ((char *) pointer - MAXALIGN(offsetof(Block, data)));
	if (block->counter != NULL)
		*block->counter -= block->size;
	pfree(block);
}

/* -- text -- */

static bool
is_ascii(const char *text, int len)
{
	for (int i = 0; i < len; i++)
	{
		if ((unsigned char) text[i] >= 0x80)
			return false;
	}
	return true;
}

/* Has this UTF-8 text a character beyond the BMP? */
static bool
has_astral(const char *text, int len)
{
	int			i = 0;

	for (; i + 8 <= len; i += 8)
	{
		uint64		word;

		memcpy(&word, text + i, 8);
		if ((word & UINT64CONST(0x8080808080808080)) == 0)
			continue;
		/* a byte of 0xF0 or more has its four high bits set */
		if (word & (word << 1) & (word << 2) & (word << 3) & UINT64CONST(0x8080808080808080))
			return true;
	}
	for (; i < len; i++)
	{
		if ((unsigned char) text[i] >= 0xF0)
			return true;
	}
	return false;
}

/* Forgets what was made of the last subject. */
static void
drop_copies(WfRegex *regex)
{
	if (regex->mirror != NULL)
		pfree(regex->mirror);
	if (regex->split != NULL)
		pfree(regex->split);
	regex->mirror = regex->split = NULL;
	regex->mirrored = regex->split_of = NULL;
	regex->mirrored_len = regex->split_of_len = 0;
}

/* Writes a surrogate as the three bytes that UTF-8 would give it. */
static char *
put_surrogate(char *out, pg_wchar c)
{
	out[0] = (char) 0xED;
	out[1] = (char) (0x80 | ((c >> 6) & 0x3F));
	out[2] = (char) (0x80 | (c & 0x3F));
	return out + 3;
}

static bool
is_pair(const char *text, const char *end)
{
	return end - text >= 6 && (unsigned char) text[0] == 0xED && ((unsigned char) text[1] & 0xF0) == 0xA0 &&
		(unsigned char) text[3] == 0xED && (unsigned char) text[4] >= 0xB0;
}

/* Makes the subject with each character beyond the BMP as two surrogates, unless that is at hand. */
static void
split_subject(WfRegex *regex, const char *subject, int len)
{
	char	   *out;

	if (regex->split_of == subject && regex->split_of_len == len)
		return;
	drop_copies(regex);
	regex->split = MemoryContextAllocExtended(regex->memory, (Size) len / 2 * 3 + 8, MCXT_ALLOC_HUGE);
	out = regex->split;
	for (int i = 0; i < len;)
	{
		int			n = pg_utf_mblen((const unsigned char *) subject + i);

		if (n == 4)
		{
			pg_wchar	c = utf8_to_unicode((const unsigned char *) subject + i) - 0x10000;

			out = put_surrogate(out, 0xD800 + (c >> 10));
			out = put_surrogate(out, 0xDC00 + (c & 0x3FF));
		}
		else
		{
			memcpy(out, subject + i, n);
			out += n;
		}
		i += n;
	}
	regex->split_len = (int) (out - regex->split);
	regex->split_of = subject;
	regex->split_of_len = len;
	regex->cursor_original = regex->cursor_split = 0;
	regex->made_bytes += len;
}

/* Goes through the split subject to an offset into it, or into the subject, from where the last search began. */
static void
walk_split(const WfRegex *regex, int to_split, int to_original, int *split, int *original)
{
	const char *end = regex->split + regex->split_len;

	*split = *original = 0;
	if (regex->cursor_split <= to_split && regex->cursor_original <= to_original)
	{
		*split = regex->cursor_split;
		*original = regex->cursor_original;
	}
	while (*split < to_split && *original < to_original)
	{
		bool		pair = is_pair(regex->split + *split, end);
		int			n = pg_utf_mblen((const unsigned char *) regex->split + *split);

		if (pair && (*split + 3 == to_split || *original + WF_REGEX_HALF == to_original))
		{
			*split += 3;
			*original += WF_REGEX_HALF;
			return;
		}
		*split += pair ? 6 : n;
		*original += pair ? 4 : n;
	}
}

static int
offset_in_split(WfRegex *regex, int original)
{
	int			split;

	walk_split(regex, PG_INT32_MAX, original, &split, &original);
	return split;
}

static int
offset_in_subject(const WfRegex *regex, int split)
{
	int			original;

	walk_split(regex, split, PG_INT32_MAX, &split, &original);
	return original;
}

/* -- callouts -- */

/* Is the capture of a group of the current iteration of all loops around it that may skip it? */
static bool
is_fresh(const WfRegexGroup *group, const PCRE2_SIZE *offsets, uint32 top)
{
	ListCell   *lc;

	if ((uint32) group->number >= top || offsets[group->number * 2] == PCRE2_UNSET)
		return false;
	foreach(lc, group->stale)
	{
		const WfRegexStale *stale = lfirst(lc);
		int			marker = stale->loop->marker;

		if ((uint32) marker >= top || offsets[marker * 2] == PCRE2_UNSET)
			return false;
		if (offsets[group->number * 2] < offsets[marker * 2] + (stale->strict ? 1 : 0))
			return false;
	}
	return true;
}

static pg_wchar
char_before(const char *text, PCRE2_SIZE *at)
{
	do
	{
		(*at)--;
	} while (((unsigned char) text[*at] & 0xC0) == 0x80);
	return utf8_to_unicode((const unsigned char *) text + *at);
}

/* Does what ends at `at` equal, but for case, what a group captured? */
static bool
is_same(const Matching *matching, const PCRE2_SIZE *offsets, int number, PCRE2_SIZE at)
{
	PCRE2_SIZE	from = offsets[number * 2 + 1];

	if (offsets[number * 2] == PCRE2_UNSET)
		return true;
	while (from > offsets[number * 2])
	{
		pg_wchar	a = char_before(matching->subject, &from);
		pg_wchar	b = char_before(matching->subject, &at);

		if (!wf_regex_same_fold(a, b, matching->regex->tree->unicode))
			return false;
	}
	return true;
}

/* Puts something on the bill; ends the match when that is too high or somebody wants it ended. */
static int
charge(Matching *matching, uint64 cost)
{
	matching->cost += cost;
	if (matching->cost > matching->most_cost)
		return PCRE2_ERROR_MATCHLIMIT;
	return InterruptPending && !matching->patient ? PCRE2_ERROR_CALLOUT : 0;
}

/* What comparing with the capture of a group costs. */
static uint64
comparison_cost(const PCRE2_SIZE *offsets, int number, uint32 top)
{
	if ((uint32) number >= top || offsets[number * 2] == PCRE2_UNSET)
		return 1;
	return 1 + (offsets[number * 2 + 1] - offsets[number * 2]) / COMPARED_BYTES;
}

/* The subject from right to left, character by character; NULL when memory is short. */
static const char *
mirror_of(Matching *matching)
{
	WfRegex    *regex = matching->regex;
	const char *subject = matching->subject;
	char	   *out;

	if (regex->mirrored == subject && regex->mirrored_len == matching->len)
		return regex->mirror;
	if (regex->mirror != NULL)
		pfree(regex->mirror);
	regex->mirrored = NULL;
	regex->mirror = MemoryContextAllocExtended(regex->memory, (Size) matching->len + 1, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
	if (regex->mirror == NULL)
		return NULL;
	regex->made_bytes += matching->len;
	out = regex->mirror + matching->len;
	for (int i = 0; i < matching->len;)
	{
		int			n = pg_utf_mblen((const unsigned char *) subject + i);

		out -= n;
		memcpy(out, subject + i, n);
		i += n;
	}
	regex->mirrored = subject;
	regex->mirrored_len = matching->len;
	return regex->mirror;
}

/*
 * Does a lookbehind hold where a match is? It is looked for in the mirror of what is matched, be that the
 * subject or its mirror. Zero when it does, one when not, an error to end the match.
 */
static int
look_behind(Matching *matching, const Behind *behind, const pcre2_callout_block *block)
{
	const char *mirror = mirror_of(matching);
	const char *other = (const char *) block->subject == mirror ? matching->subject : mirror;
	int			result = PCRE2_ERROR_NOMEMORY;

	if (mirror != NULL)
		result = pcre2_match(behind->code, (PCRE2_SPTR) other, matching->len, matching->len - block->current_position,
							 PCRE2_NO_UTF_CHECK | PCRE2_ANCHORED, behind->match, matching->regex->limits);
	if (result < 0 && result != PCRE2_ERROR_NOMATCH)
		return result;
	return (result >= 0) == behind->negative;
}

/* Zero to go on, one to fail at this point, an error to end the match. Must not throw. */
static int
on_callout(pcre2_callout_block *block, void *arg)
{
	Matching   *matching = arg;
	const WfRegexTree *tree = matching->regex->tree;
	const PCRE2_SIZE *offsets = block->offset_vector;
	const WfRegexCheck *check;
	const WfRegexGroup *group;

	if (block->callout_number == WF_REGEX_COST_CALLOUT)
		return charge(matching, tree->step_cost);
	check = &tree->checks[block->callout_number - 1];
	group = &tree->groups[check->group];
	switch (check->kind)
	{
		case WF_REGEX_CHECK_PROGRESS:
			return offsets[check->loop->marker * 2] == block->current_position;
		case WF_REGEX_CHECK_PROGRESS_OR_FIRST:
			return offsets[check->loop->marker * 2] == block->current_position &&
				offsets[check->entry * 2] != block->current_position;
		case WF_REGEX_CHECK_FRESH:
			return !is_fresh(group, offsets, block->capture_top);
		case WF_REGEX_CHECK_NOT_FRESH:
			return is_fresh(group, offsets, block->capture_top);
		case WF_REGEX_CHECK_BEHIND:
			return look_behind(matching, &matching->regex->behinds[check->entry], block);
		case WF_REGEX_CHECK_COST:
			return charge(matching, comparison_cost(offsets, group->number, block->capture_top));
		case WF_REGEX_CHECK_SAME:
			return (uint32) group->number < block->capture_top &&
				!is_same(matching, offsets, group->number, block->current_position);
	}
	return 0;
}

/* -- compiling -- */

/* The pattern as JavaScript reads it: code points, or code units. */
static pg_wchar *
read_pattern(const char *pattern, int len, bool unicode, int *n)
{
	pg_wchar   *out = palloc(sizeof(pg_wchar) * (len + 1));

	*n = 0;
	for (int i = 0; i < len; i += pg_utf_mblen((const unsigned char *) pattern + i))
	{
		pg_wchar	c = utf8_to_unicode((const unsigned char *) pattern + i);

		if (c >= 0x10000 && !unicode)
		{
			out[(*n)++] = 0xD800 + ((c - 0x10000) >> 10);
			c = 0xDC00 + ((c - 0x10000) & 0x3FF);
		}
		out[(*n)++] = c;
	}
	return out;
}

static bool
read_flags(WfRegexTree *tree, const char *flags)
{
	for (const char *f = flags; *f != '\0'; f++)
	{
		if (strchr("dgimsuvy", *f) == NULL || strchr(f + 1, *f) != NULL)
			return false;
	}
	tree->sets = strchr(flags, 'v') != NULL;
	tree->unicode = tree->sets || strchr(flags, 'u') != NULL;
	tree->ignore_case = strchr(flags, 'i') != NULL;
	tree->multiline = strchr(flags, 'm') != NULL;
	tree->dot_all = strchr(flags, 's') != NULL;
	return !(tree->sets && strchr(flags, 'u') != NULL);
}

static pcre2_code *
compile_text(pcre2_general_context *general, const char *text, int len, uint32 more, int *error)
{
	pcre2_compile_context *context = pcre2_compile_context_create(general);
	pcre2_code *code;
	PCRE2_SIZE	offset;

	if (context == NULL)
	{
		*error = PCRE2_ERROR_NOMEMORY;
		return NULL;
	}
	pcre2_set_compile_extra_options(context, PCRE2_EXTRA_ALLOW_SURROGATE_ESCAPES);
	code = pcre2_compile((PCRE2_SPTR) text, len, PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_MATCH_UNSET_BACKREF |
						 PCRE2_DOTALL | PCRE2_NEVER_BACKSLASH_C | more, error, &offset, context);
	pcre2_compile_context_free(context);
	return code;
}

bool
wf_regex_probe(const char *item, const pg_wchar *points, int n, bool *matches)
{
	pcre2_general_context *general = pcre2_general_context_create(regex_alloc, regex_free, NULL);
	pcre2_code *code = NULL;
	pcre2_match_data *match = NULL;
	int			error;

	if (general != NULL)
		code = compile_text(general, item, strlen(item), PCRE2_ANCHORED, &error);
	if (code != NULL)
		match = pcre2_match_data_create(1, general);
	for (int i = 0; match != NULL && i < n; i++)
	{
		unsigned char utf8[8];

		unicode_to_utf8(points[i], utf8);
		matches[i] = pcre2_match(code, utf8, pg_utf_mblen(utf8), 0, PCRE2_NO_UTF_CHECK, match, NULL) > 0;
	}
	pcre2_match_data_free(match);
	pcre2_code_free(code);
	if (general != NULL)
		pcre2_general_context_free(general);
	return match != NULL;
}

/* The lookbehinds that are patterns of their own; false when PCRE2 refuses one. */
static bool
compile_behinds(WfRegex *regex, int *error)
{
	int			n = 0;
	ListCell   *lc;

	if (regex->tree->behinds == NIL)
		return true;
	regex->behinds = palloc0(sizeof(Behind) * list_length(regex->tree->behinds));
	foreach(lc, regex->tree->behinds)
	{
		WfRegexBehind *from = lfirst(lc);
		Behind	   *behind = &regex->behinds[n++];

		behind->negative = from->negative;
		behind->code = compile_text(regex->general, from->out->data, from->out->len, PCRE2_NO_AUTO_POSSESS, error);
		if (behind->code == NULL)
			return false;
	}
	return true;
}

/*
 * Hands the translated pattern to PCRE2, which must not take `.*` behind a callout that may fail for an
 * anchor; false with the tree's problem set when that refuses. */
static bool
compile_regex(WfRegex *regex)
{
	WfRegexTree *tree = regex->tree;
	int			error = PCRE2_ERROR_NOMEMORY;
	char		text[160] = "";

	regex->general = pcre2_general_context_create(regex_alloc, regex_free, regex);
	if (regex->general != NULL)
		regex->code = compile_text(regex->general, tree->out->data, tree->out->len, PCRE2_NO_AUTO_POSSESS |
								   (tree->behinds != NIL ? PCRE2_NO_DOTSTAR_ANCHOR : 0), &error);
	if (regex->code != NULL && compile_behinds(regex, &error))
		regex->limits = pcre2_match_context_create(regex->general);
	if (regex->limits != NULL)
	{
		pcre2_set_heap_limit(regex->limits, HEAP_KB);
		return true;
	}
	if (error == PCRE2_ERROR_NOMEMORY)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	pcre2_get_error_message(error, (PCRE2_UCHAR *) text, sizeof(text));
	wf_regex_refuse(tree, "%s", text);
	return false;
}

/* Parses; the tree says what is wrong. */
static WfRegexTree *
parse_pattern(const char *pattern, int len, const char *flags)
{
	WfRegexTree *tree = palloc0(sizeof(WfRegexTree));
	pg_wchar   *in;
	int			n;

	if (!read_flags(tree, flags))
		wf_regex_refuse(tree, "invalid flags \"%s\"", flags);
	else if (len > MOST_PATTERN_BYTES)
		wf_regex_refuse(tree, "regular expressions have at most %d bytes", MOST_PATTERN_BYTES);
	else if (GetDatabaseEncoding() != PG_UTF8 && !is_ascii(pattern, len))
		wf_regex_refuse(tree, "regular expressions beyond ASCII need a database of encoding UTF8");
	if (tree->problem != NULL)
		return tree;
	in = read_pattern(pattern, len, tree->unicode, &n);
	wf_regex_parse(tree, in, n);
	pfree(in);
	return tree;
}

bool
wf_regex_is_valid(const char *pattern, int len, const char *flags)
{
	return parse_pattern(pattern, len, flags)->problem == NULL;
}

WfRegex *
wf_regex_compile(const char *pattern, int len, const char *flags, const char **problem)
{
	WfRegex    *regex = palloc0(sizeof(WfRegex));
	WfRegexTree *tree = regex->tree = parse_pattern(pattern, len, flags);

	regex->memory = CurrentMemoryContext;
	if (tree->problem == NULL)
		wf_regex_emit(tree);
	if (tree->problem == NULL && compile_regex(regex))
	{
		regex->by_units = !tree->unicode && (tree->sees_surrogates || tree->may_be_empty);
		pfree(tree->out->data);
		return regex;
	}
	if (problem != NULL)
		*problem = tree->problem;
	return NULL;
}

/* -- matching -- */

/* Has this subject to be split for this regex, or to begin within a character? */
static bool
needs_split(WfRegex *regex, const char *subject, int len, int start)
{
	if (start < len && ((unsigned char) subject[start] & 0xC0) == 0x80)
		return true;
	if (!regex->by_units)
		return false;
	if (start > 0 && regex->plain_subject == subject && regex->plain_len == len)
		return false;
	regex->plain_subject = NULL;
	if (has_astral(subject, len))
		return true;
	regex->plain_subject = subject;
	regex->plain_len = len;
	return false;
}

static void
fill_offsets(WfRegex *regex, bool split, int *offsets, int n_offsets)
{
	const PCRE2_SIZE *found = pcre2_get_ovector_pointer(regex->match);
	uint32		top = regex->tree->n_numbers + 1;

	for (int i = 0; i * 2 + 1 < n_offsets && i <= regex->tree->n_groups; i++)
	{
		const WfRegexGroup *group = &regex->tree->groups[i];
		bool		there = i == 0 || (group->number > 0 && is_fresh(group, found, top));
		int			from = there ? (int) found[group->number * 2] : -1;
		int			to = there ? (int) found[group->number * 2 + 1] : -1;

		if (there && split)
		{
			int			in_split = from;

			from = offset_in_subject(regex, from);
			to = offset_in_subject(regex, to);
			if (i == 0)
			{
				bool		half = is_pair(regex->split + Max(in_split - 3, 0), regex->split + regex->split_len) && in_split >= 3;

				/* the cursor stands before whole characters */
				regex->cursor_split = in_split - (half ? 3 : 0);
				regex->cursor_original = from - (half ? WF_REGEX_HALF : 0);
			}
		}
		offsets[i * 2] = from;
		offsets[i * 2 + 1] = to;
	}
}

static void
throw_match_error(int error)
{
	char		text[160] = "";

	if (error == PCRE2_ERROR_NOMEMORY)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	if (error == PCRE2_ERROR_MATCHLIMIT || error == PCRE2_ERROR_DEPTHLIMIT || error == PCRE2_ERROR_HEAPLIMIT)
		ereport(ERROR, (errcode(WF_ERRCODE_EXPRESSION_LIMIT), errmsg("pattern exceeded its step limit"),
						errhint("A loop within a loop over the same characters takes exponential time; say each part in one way only.")));
	pcre2_get_error_message(error, (PCRE2_UCHAR *) text, sizeof(text));
	elog(ERROR, "could not match a regular expression: %s", text);
}

static void
free_match_data(WfRegex *regex)
{
	pcre2_match_data_free(regex->match);
	regex->match = NULL;
	for (int i = 0; i < list_length(regex->tree->behinds); i++)
	{
		pcre2_match_data_free(regex->behinds[i].match);
		regex->behinds[i].match = NULL;
	}
}

static void
make_match_data(WfRegex *regex)
{
	bool		made;

	regex->match_bytes = 0;
	regex->match = pcre2_match_data_create_from_pattern(regex->code, regex->general);
	made = regex->match != NULL;
	for (int i = 0; i < list_length(regex->tree->behinds); i++)
	{
		regex->behinds[i].match = pcre2_match_data_create_from_pattern(regex->behinds[i].code, regex->general);
		made &= regex->behinds[i].match != NULL;
	}
	if (made)
		return;
	free_match_data(regex);
	throw_match_error(PCRE2_ERROR_NOMEMORY);
}

int
wf_regex_match(const WfRegex *const_regex, const char *subject, int len, int start, bool anchored,
			   int *offsets, int n_offsets)
{
	WfRegex    *regex = unconstify(WfRegex *, const_regex);
	Matching	matching = {.regex = regex,.subject = subject,.len = len};
	bool		split;
	int			matched_len = len;
	int			result;

	CHECK_FOR_INTERRUPTS();
	if (GetDatabaseEncoding() != PG_UTF8 && !is_ascii(subject, len))
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("regular expressions on text beyond ASCII need a database of encoding UTF8")));
	if (start == 0)
		drop_copies(regex);
	regex->last_cost = 0;
	split = needs_split(regex, subject, len, start);
	if (split)
	{
		split_subject(regex, subject, len);
		matching.subject = regex->split;
		matching.len = matched_len = regex->split_len;
		start = offset_in_split(regex, start);
	}
	if (regex->match == NULL)
		make_match_data(regex);
	matching.most_cost = Min((uint64) COST + (uint64) matched_len * COST_PER_BYTE, MOST_COST);
	pcre2_set_match_limit(regex->limits, (uint32) matching.most_cost);
	pcre2_set_depth_limit(regex->limits, (uint32) matching.most_cost);
	pcre2_set_callout(regex->limits, on_callout, &matching);
	for (;;)
	{
		result = pcre2_match(regex->code, (PCRE2_SPTR) matching.subject, matched_len, start,
							 PCRE2_NO_UTF_CHECK | (anchored ? PCRE2_ANCHORED : 0), regex->match, regex->limits);
		if (result != PCRE2_ERROR_CALLOUT)
			break;
		CHECK_FOR_INTERRUPTS();
		matching.patient = true;
		matching.cost = 0;
	}
	if (result > 0 && n_offsets > 0)
		fill_offsets(regex, split, offsets, n_offsets);
	regex->last_cost = matching.cost;
	if (result < 0)
		wf_regex_rest(regex);
	if (regex->match_bytes > KEPT_BYTES)
		free_match_data(regex);
	if (result < 0 && result != PCRE2_ERROR_NOMATCH)
		throw_match_error(result);
	return result > 0 ? regex->tree->n_groups + 1 : 0;
}

int
wf_regex_cost(const WfRegex *const_regex)
{
	WfRegex    *regex = unconstify(WfRegex *, const_regex);
	uint64		cost = regex->last_cost + regex->made_bytes / 64;

	regex->made_bytes = 0;
	return (int) Min(cost, PG_INT32_MAX);
}

void
wf_regex_rest(const WfRegex *const_regex)
{
	WfRegex    *regex = unconstify(WfRegex *, const_regex);

	if (regex->split_of_len > KEPT_BYTES || regex->mirrored_len > KEPT_BYTES)
		drop_copies(regex);
}

int
wf_regex_group_count(const WfRegex *regex)
{
	return regex->tree->n_groups;
}

const char *
wf_regex_group_name(const WfRegex *regex, int i)
{
	return i >= 1 && i <= regex->tree->n_groups ? regex->tree->groups[i].name : NULL;
}
