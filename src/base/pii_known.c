/*
 * pii_known.c: values that are personal wherever they turn up, found in a text by one walk over it.
 *
 * They are kept as texts in order. Of those that a text has at one place the longest is wanted: the last one in order that is
 * not behind the text is it, or it shares a beginning with the text to which all others must be cut. Most places are ruled out
 * by a bit for their first two bytes. So a walk costs little more than the text, whatever is known.
 */
#include "postgres.h"

#include "base/pii.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

typedef struct Known
{
	const char *text;			/* not terminated */
	int			len;
} Known;

#define N_BEGINNINGS 65536

struct WfPiiKnown
{
	MemoryContext memory;
	Known	   *items;
	int			n;
	int			size;
	int			n_sorted;		/* of these, at the front */
	uint8	   *beginnings;		/* a bit for the first two bytes of each that is long enough; NULL until sorted */
};

WfPiiKnown *
wf_pii_known_make(void)
{
	WfPiiKnown *known = palloc0(sizeof(WfPiiKnown));

	known->memory = CurrentMemoryContext;
	return known;
}

static int
compare_text(const char *a, int a_len, const char *b, int b_len)
{
	int			order = memcmp(a, b, Min(a_len, b_len));

	return order != 0 ? order : a_len - b_len;
}

static int
compare(const void *a, const void *b)
{
	const Known *one = a;
	const Known *other = b;

	return compare_text(one->text, one->len, other->text, other->len);
}

static void
add_text(WfPiiKnown *known, const char *text, int len)
{
	MemoryContext old = MemoryContextSwitchTo(known->memory);

	if (known->n == known->size)
	{
		known->size = known->size == 0 ? 16 : known->size * 2;
		known->items = known->items == NULL ? palloc(sizeof(Known) * known->size) :
			repalloc_huge(known->items, sizeof(Known) * known->size);
	}
	known->items[known->n].text = pnstrdup(text, len);
	known->items[known->n].len = len;
	known->n++;
	MemoryContextSwitchTo(old);
}

static void
note_beginning(WfPiiKnown *known, const char *text, int len)
{
	int			at = (uint8) text[0] << 8 | (uint8) text[1];

	if (len >= WF_PII_PART_BYTES)
		known->beginnings[at / 8] |= 1 << (at % 8);
}

/* Brings what was added into the order. */
static void
sort(WfPiiKnown *known)
{
	int			n = 0;

	if (known->n_sorted == known->n)
		return;
	if (known->beginnings == NULL)
		known->beginnings = MemoryContextAllocZero(known->memory, N_BEGINNINGS / 8);
	for (int i = known->n_sorted; i < known->n; i++)
		note_beginning(known, known->items[i].text, known->items[i].len);
	qsort(known->items, known->n, sizeof(Known), compare);
	for (int i = 0; i < known->n; i++)
		if (n == 0 || compare(&known->items[n - 1], &known->items[i]) != 0)
			known->items[n++] = known->items[i];
	known->n = n;
	known->n_sorted = n;
}

void
wf_pii_known_add(WfPiiKnown *known, const JsonbValue *value)
{
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	member;

	check_stack_depth();
	if (value->type == jbvString && value->val.string.len >= 2)
		add_text(known, value->val.string.val, value->val.string.len);
	else if (value->type == jbvNumeric)
	{
		char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));

		if (strlen(text) >= WF_PII_PART_BYTES)
			add_text(known, text, strlen(text));
		pfree(text);
	}
	else if (value->type == jbvBinary)
	{
		wf_json_iter_begin(&it, value);
		while (wf_json_iter_next(&it, &key, &member))
			wf_pii_known_add(known, &member);
	}
}

/* How many of them are not behind the text. */
static int
place_of(const WfPiiKnown *known, const char *text, int len)
{
	int			low = 0;
	int			high = known->n;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (compare_text(known->items[middle].text, known->items[middle].len, text, len) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool
wf_pii_known_has(WfPiiKnown *known, const char *text, int len)
{
	int			place;

	sort(known);
	place = place_of(known, text, len);
	return place > 0 && compare_text(known->items[place - 1].text, known->items[place - 1].len, text, len) == 0;
}

/* The bytes of the longest that the text begins with; 0: none. */
static int
longest_at(const WfPiiKnown *known, const char *text, int len)
{
	while (len >= WF_PII_PART_BYTES)
	{
		int			place = place_of(known, text, len);
		const Known *last;
		int			common = 0;

		if (place == 0)
			return 0;
		last = &known->items[place - 1];
		while (common < last->len && common < len && last->text[common] == text[common])
			common++;
		if (common == last->len)
			return common >= WF_PII_PART_BYTES ? common : 0;
		len = common;
	}
	return 0;
}

int
wf_pii_step(const char *text)
{
	return GetDatabaseEncoding() == PG_UTF8 || pg_database_encoding_max_length() == 1 ? 1 : pg_mblen(text);
}

bool
wf_pii_known_find(WfPiiKnown *known, const char *text, int len, int from, int *begin, int *end)
{
	sort(known);
	if (known->n == 0)
		return false;
	for (int at = from; at + WF_PII_PART_BYTES <= len; at += wf_pii_step(text + at))
	{
		int			first = (uint8) text[at] << 8 | (uint8) text[at + 1];
		int			found;

		if ((known->beginnings[first / 8] & (1 << (first % 8))) == 0)
			continue;
		CHECK_FOR_INTERRUPTS();
		found = longest_at(known, text + at, len - at);
		if (found == 0)
			continue;
		*begin = at;
		*end = at + found;
		return true;
	}
	return false;
}

Jsonb *
wf_pii_known_values(const WfPiiKnown *known, int most)
{
	WfJsonWriter *w;

	if (known->n == 0)
		return NULL;
	w = wf_json_writer_begin();
	wf_json_begin_array(w);
	for (int i = 0; i < known->n && i < most; i++)
		wf_json_put_string(w, known->items[i].text, known->items[i].len);
	wf_json_end_array(w);
	return wf_json_finish(w);
}
