/*
 * pii_erase.c: erasing a value from JSON and from texts.
 *
 * Everywhere: a string that has the text in it loses it there, as does the name of a member; a number, an object or an array goes
 * when it is equal. At paths: what is there goes as a whole, if it is equal to the value or has its text in it.
 */
#include "postgres.h"

#include "base/pii.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"

/* The first place of the needle in a text; -1: none. */
static int
find(const WfPiiErase *erase, const char *text, int len, int from)
{
	for (int at = from; at + erase->text_len <= len; at += wf_pii_step(text + at))
	{
		const char *first = memchr(text + at, erase->text[0], len - at - erase->text_len + 1);

		CHECK_FOR_INTERRUPTS();
		if (first == NULL)
			return -1;
		if (wf_pii_step(text + at) == 1)
			at = first - text;
		if (memcmp(text + at, erase->text, erase->text_len) == 0)
			return at;
	}
	return -1;
}

bool
wf_pii_may_hold(const WfPiiErase *erase, const char *bytes, Size len)
{
	/* numbers are stored otherwise than as text */
	if (erase->text == NULL || erase->value.type == jbvNumeric)
		return true;
	return memmem(bytes, len, erase->text, erase->text_len) != NULL;
}

static bool
erase_within(WfPiiErase *erase, const char *text, int len, StringInfo out)
{
	int			at = 0;
	int			found;

	if (erase->text == NULL)
		return false;
	found = find(erase, text, len, 0);
	if (found < 0)
		return false;
	initStringInfo(out);
	for (; found >= 0; found = find(erase, text, len, at))
	{
		appendBinaryStringInfo(out, text + at, found - at);
		appendStringInfoString(out, WF_PII_ERASED);
		at = found + erase->text_len;
		erase->n_erased++;
	}
	appendBinaryStringInfo(out, text + at, len - at);
	return true;
}

/* Is it the value, or at least has its text? */
static bool
is_it(const WfPiiErase *erase, const JsonbValue *value)
{
	if (wf_json_equal(value, &erase->value))
		return true;
	return erase->paths != NULL && erase->text != NULL && value->type == jbvString &&
		find(erase, value->val.string.val, value->val.string.len, 0) >= 0;
}

static void
erase_at(WfPiiErase *erase, WfPiiPlace place, const JsonbValue *value, WfJsonWriter *w)
{
	bool		everywhere = erase->paths == NULL;
	StringInfoData text;
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	member;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (everywhere && value->type == jbvString)
	{
		if (erase_within(erase, value->val.string.val, value->val.string.len, &text))
			wf_json_put_string(w, text.data, text.len);
		else
			wf_json_put(w, value);
		return;
	}
	if ((everywhere || wf_pii_place_is_marked(erase->paths, place)) && is_it(erase, value))
	{
		erase->n_erased++;
		wf_json_put_string(w, WF_PII_ERASED, strlen(WF_PII_ERASED));
		return;
	}
	if (value->type != jbvBinary || (!everywhere && place == NULL))
	{
		wf_json_put(w, value);
		return;
	}
	wf_json_iter_begin(&it, value);
	if (it.is_object)
		wf_json_begin_object(w);
	else
		wf_json_begin_array(w);
	while (wf_json_iter_next(&it, &key, &member))
	{
		WfPiiPlace	next = everywhere ? NULL : it.is_object ?
			wf_pii_place_member(erase->paths, place, key.val.string.val, key.val.string.len) :
			wf_pii_place_element(erase->paths, place, it.index - 1);

		if (it.is_object && everywhere && erase_within(erase, key.val.string.val, key.val.string.len, &text))
			wf_json_key(w, text.data, text.len);
		else if (it.is_object)
			wf_json_key(w, key.val.string.val, key.val.string.len);
		erase_at(erase, next, &member, w);
	}
	if (it.is_object)
		wf_json_end_object(w);
	else
		wf_json_end_array(w);
}

Jsonb *
wf_pii_erase(WfPiiErase *erase, const JsonbValue *value)
{
	WfJsonWriter *w = wf_json_writer_begin();

	erase_at(erase, erase->paths == NULL ? NULL : wf_pii_place_root(erase->paths), value, w);
	return wf_json_finish(w);
}

char *
wf_pii_erase_text(WfPiiErase *erase, const char *text, int len)
{
	StringInfoData out;

	if (erase->paths != NULL || !erase_within(erase, text, len, &out))
		return NULL;
	return out.data;
}
