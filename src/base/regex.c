/*
 * regex.c: JavaScript's regular expressions on PCRE2, bounded.
 */
#include "postgres.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/error.h"
#include "base/regex.h"
#include "utils/memutils.h"

struct WfRegex
{
	MemoryContext memory;
	pcre2_code *code;
	pcre2_match_data *match;
	pcre2_match_context *limits;
	uint32		n_groups;
};

static void *
regex_alloc(PCRE2_SIZE size, void *arg)
{
	return MemoryContextAllocExtended(arg, Max(size, 1), MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
}

static void
regex_free(void *pointer, void *arg)
{
	if (pointer != NULL)
		pfree(pointer);
}

WfRegex *
wf_regex_compile(const char *pattern, int len, const char *flags, const char **problem)
{
	WfRegex    *regex = palloc0(sizeof(WfRegex));
	uint32		options = PCRE2_UTF | PCRE2_NO_UTF_CHECK | PCRE2_ALT_BSUX | PCRE2_MATCH_UNSET_BACKREF |
		PCRE2_ALLOW_EMPTY_CLASS | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C;
	pcre2_general_context *general;
	PCRE2_SIZE	offset;
	int			code;

	if (strchr(flags, 'i'))
		options |= PCRE2_CASELESS;
	if (strchr(flags, 'm'))
		options |= PCRE2_MULTILINE;
	if (strchr(flags, 's'))
		options |= PCRE2_DOTALL;
	regex->memory = CurrentMemoryContext;
	general = pcre2_general_context_create(regex_alloc, regex_free, CurrentMemoryContext);
	regex->code = pcre2_compile((PCRE2_SPTR) pattern, len, options, &code, &offset,
								pcre2_compile_context_create(general));
	if (regex->code == NULL)
	{
		char	   *text = palloc(256);

		pcre2_get_error_message(code, (PCRE2_UCHAR *) text, 256);
		*problem = text;
		return NULL;
	}
	regex->match = pcre2_match_data_create_from_pattern(regex->code, general);
	regex->limits = pcre2_match_context_create(general);
	pcre2_set_match_limit(regex->limits, 2000000);
	pcre2_pattern_info(regex->code, PCRE2_INFO_CAPTURECOUNT, &regex->n_groups);
	return regex;
}

int
wf_regex_match(const WfRegex *regex, const char *subject, int len, int start, bool anchored, int *offsets, int n_offsets)
{
	int			n = pcre2_match(regex->code, (PCRE2_SPTR) subject, len, start,
								PCRE2_NO_UTF_CHECK | (anchored ? PCRE2_ANCHORED : 0), regex->match, regex->limits);
	PCRE2_SIZE *found = pcre2_get_ovector_pointer(regex->match);

	if (n == PCRE2_ERROR_NOMATCH)
		return 0;
	if (n < 0)
		ereport(ERROR, (errcode(WF_ERRCODE_EXPRESSION_LIMIT), errmsg("pattern exceeded its step limit")));
	for (int i = 0; i < n_offsets && i < ((int) regex->n_groups + 1) * 2; i++)
		offsets[i] = i < n * 2 && found[i] != PCRE2_UNSET ? (int) found[i] : -1;
	return regex->n_groups + 1;
}

int
wf_regex_group_count(const WfRegex *regex)
{
	return regex->n_groups;
}

const char *
wf_regex_group_name(const WfRegex *regex, int i)
{
	PCRE2_SPTR	table;
	uint32		n,
				size;

	pcre2_pattern_info(regex->code, PCRE2_INFO_NAMECOUNT, &n);
	pcre2_pattern_info(regex->code, PCRE2_INFO_NAMEENTRYSIZE, &size);
	pcre2_pattern_info(regex->code, PCRE2_INFO_NAMETABLE, &table);
	for (uint32 k = 0; k < n; k++, table += size)
	{
		if (((table[0] << 8) | table[1]) == i)
			return (const char *) table + 2;
	}
	return NULL;
}
