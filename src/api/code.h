/*
 * code.h: the code of a definition that is saved. Private to this room.
 */
#ifndef WF_API_CODE_H
#define WF_API_CODE_H

#include "store/store.h"

/*
 * Throws 42501 when the definition has code that current_user may not save. `row` is the workflow, or NULL: a new one, in this category.
 * `last` is its latest version, or NULL.
 */
extern void wf_api_check_code(const WfTenant *tenant, const WfWorkflowRow *row, const char *category, const Jsonb *definition,
							  const WfVersionRow *last);
/* The version was saved after `last` (or NULL); an entry if its code is another. `row` is the workflow as it was before. */
extern void wf_api_record_code(const WfTenant *tenant, const WfWorkflowRow *row, const WfVersionRow *last,
							   const WfVersionRow *version);

#endif
