/*
 * regex_test.c: regular expressions as an SQL function, for tests only.
 *
 * wf_sql_test_regex(pattern text, flags text, subject text, start int) -> jsonb: null when there is no
 * match; {"refused": why}; otherwise {"at": byte offset, "groups": [text or null, ...], "names": {...}}.
 * With flag y the match must begin at `start`.
 *
 * wf_sql_test_regex_points(pattern text, flags text, lo int, hi int) -> text: the code points from lo to
 * hi of which, alone, there is a match, in hexadecimal.
 */
#ifdef WF_TESTING

#include "postgres.h"

#include "base/compat.h"
#include "base/json.h"
#include "base/regex.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

PGDLLEXPORT Datum wf_sql_test_regex(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_regex);
PGDLLEXPORT Datum wf_sql_test_regex_points(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_regex_points);

static void
put_group(WfJsonWriter *w, const char *subject, const int *offsets, int i)
{
	if (offsets[i * 2] < 0)
		wf_json_put_null(w);
	else
		wf_json_put_string(w, subject + offsets[i * 2], offsets[i * 2 + 1] - offsets[i * 2]);
}

static Datum
refused(const char *problem)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "refused", problem);
	wf_json_end_object(w);
	return JsonbPGetDatum(wf_json_finish(w));
}

Datum
wf_sql_test_regex(PG_FUNCTION_ARGS)
{
	text	   *pattern = PG_GETARG_TEXT_PP(0);
	char	   *flags = text_to_cstring(PG_GETARG_TEXT_PP(1));
	text	   *subject = PG_GETARG_TEXT_PP(2);
	const char *problem = NULL;
	WfRegex    *regex = wf_regex_compile(VARDATA_ANY(pattern), VARSIZE_ANY_EXHDR(pattern), flags, &problem);
	WfJsonWriter *w;
	int		   *offsets;
	int			n;

	if (regex == NULL)
		return refused(problem);
	offsets = palloc(sizeof(int) * 2 * (wf_regex_group_count(regex) + 1));
	n = wf_regex_match(regex, VARDATA_ANY(subject), VARSIZE_ANY_EXHDR(subject), PG_GETARG_INT32(3),
					   strchr(flags, 'y') != NULL, offsets, 2 * (wf_regex_group_count(regex) + 1));
	if (n == 0)
		PG_RETURN_NULL();
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_put_field_int64(w, "at", offsets[0]);
	wf_json_key(w, "groups", 6);
	wf_json_begin_array(w);
	for (int i = 0; i < n; i++)
		put_group(w, VARDATA_ANY(subject), offsets, i);
	wf_json_end_array(w);
	wf_json_key(w, "names", 5);
	wf_json_begin_object(w);
	for (int i = 1; i < n; i++)
	{
		if (wf_regex_group_name(regex, i) == NULL)
			continue;
		wf_json_key(w, wf_regex_group_name(regex, i), strlen(wf_regex_group_name(regex, i)));
		put_group(w, VARDATA_ANY(subject), offsets, i);
	}
	wf_json_end_object(w);
	wf_json_end_object(w);
	PG_RETURN_JSONB_P(wf_json_finish(w));
}

Datum
wf_sql_test_regex_points(PG_FUNCTION_ARGS)
{
	text	   *pattern = PG_GETARG_TEXT_PP(0);
	const char *problem = NULL;
	WfRegex    *regex = wf_regex_compile(VARDATA_ANY(pattern), VARSIZE_ANY_EXHDR(pattern),
										 text_to_cstring(PG_GETARG_TEXT_PP(1)), &problem);
	StringInfoData out;

	if (regex == NULL)
		PG_RETURN_TEXT_P(cstring_to_text(problem));
	initStringInfo(&out);
	for (pg_wchar c = PG_GETARG_INT32(2); c <= (pg_wchar) PG_GETARG_INT32(3); c++)
	{
		unsigned char utf8[8];

		if (c >= 0xD800 && c <= 0xDFFF)
			continue;
		unicode_to_utf8(c, utf8);
		if (wf_regex_match(regex, (char *) utf8, pg_utf_mblen(utf8), 0, false, NULL, 0) > 0)
			appendStringInfo(&out, "%s%X", out.len == 0 ? "" : " ", c);
	}
	PG_RETURN_TEXT_P(cstring_to_text(out.data));
}

#endif
