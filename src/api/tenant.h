/*
 * tenant.h: who may do what in a tenant that is named. Private to this room.
 */
#ifndef WF_API_TENANT_H
#define WF_API_TENANT_H

#include "api/api.h"
#include "store/store.h"

/*
 * The tenant of this name, if current_user has the permission there, for all workflows; throws 42501, the same for a tenant that
 * does not exist. Needs an SPI connection.
 */
extern void wf_api_require_named(const char *name, WfPermission permission, WfTenant *tenant);
/* The same with `team:manage`. */
extern void wf_api_require_manager(const char *name, WfTenant *tenant);
/* The same, with no change of the tenant or its members by anybody else until the transaction ends. */
extern void wf_api_require_only_manager(const char *name, WfTenant *tenant);

/* Quotas that there are, sorted; and whether a value can be one's: throws 22023 (quota.c). */
extern const char *const *wf_api_quota_names(int *n);
extern void wf_api_check_quota(const char *name, const JsonbValue *value);

#endif
