package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

// domainItem is a domain in a list.
type domainItem struct {
	PodID             string    `json:"pod_id,omitempty"` // left out: it serves all pods
	DomainID          string    `json:"domain_id"`
	Domain            string    `json:"domain"`
	FeedbackEnabled   bool      `json:"feedback_enabled"`
	SubdomainsEnabled bool      `json:"subdomains_enabled"`
	TrackingEnabled   bool      `json:"tracking_enabled"`
	ClientID          string    `json:"client_id,omitempty"`
	UpdatedAt         timestamp `json:"updated_at"`
	CreatedAt         timestamp `json:"created_at"`
}

type domain struct {
	domainItem
	Status  mail.VerificationStatus `json:"status"`
	Reason  string                  `json:"reason,omitempty"`
	Records []domainRecord          `json:"records"`
}

type domainRecord struct {
	Type     mail.RecordType   `json:"type"`
	Name     string            `json:"name"`
	Value    string            `json:"value"`
	Status   mail.RecordStatus `json:"status"`
	Priority int               `json:"priority,omitempty"`
	Reason   string            `json:"reason,omitempty"`
}

func domainItemOf(d *mail.Domain) domainItem {
	return domainItem{d.PodID, d.Name, d.Name, d.FeedbackEnabled, d.SubdomainsEnabled, d.TrackingEnabled, d.ClientID, timestamp(d.UpdatedAt), timestamp(d.CreatedAt)}
}

func domainOf(d *mail.Domain) domain {
	return domain{domainItemOf(d), d.Status, d.Reason, each(d.Records, func(r *mail.DomainRecord) domainRecord {
		return domainRecord{r.Type, r.Name, r.Value, r.Status, r.Priority, r.Why()}
	})}
}

func (a *API) listDomains(c echo.Context, g mail.Grant) error {
	q := readQuery(c)
	p := q.page(maxPlainLimit)
	if err := q.err(); err != nil {
		return err
	}
	domains, next, err := a.server.ListDomains(c.Request().Context(), g, p)
	if err != nil {
		return err
	}
	return answer(c, struct {
		page
		Domains []domainItem `json:"domains"`
	}{page{len(domains), p.Limit, next}, each(domains, domainItemOf)})
}

func (a *API) getDomain(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "domain_id")
	if err != nil {
		return err
	}
	d, err := a.server.GetDomain(c.Request().Context(), g, id)
	if err != nil {
		return err
	}
	return answer(c, domainOf(&d))
}

func (a *API) createDomain(c echo.Context, g mail.Grant) error {
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	n := server.NewDomain{
		Name: body.text("domain"), ClientID: body.clientID(), FeedbackEnabled: body.flag("feedback_enabled"), SubdomainsEnabled: body.flag("subdomains_enabled"),
		TrackingEnabled: body.flag("tracking_enabled"), AllowConflictingProvider: body.flag("allow_conflicting_provider"),
	}
	if _, given := body.given("domain"); !given {
		body.fail("invalid_type", "string", "must be given", "domain")
	}
	if err := body.err(); err != nil {
		return err
	}
	d, err := a.server.CreateDomain(c.Request().Context(), g, n)
	if err != nil {
		return err
	}
	return answer(c, domainOf(&d))
}

func (a *API) updateDomain(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "domain_id")
	if err != nil {
		return err
	}
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	var u server.DomainUpdate
	given := false
	for name, into := range map[string]**bool{
		"feedback_enabled": &u.FeedbackEnabled, "subdomains_enabled": &u.SubdomainsEnabled, "tracking_enabled": &u.TrackingEnabled,
	} {
		if _, ok := body.given(name); ok {
			v := body.flag(name)
			*into, given = &v, true
		}
	}
	if !given {
		body.fail("custom", "", "at least one of feedback_enabled, subdomains_enabled and tracking_enabled must be given")
	}
	if err := body.err(); err != nil {
		return err
	}
	d, err := a.server.UpdateDomain(c.Request().Context(), g, id, u)
	if err != nil {
		return err
	}
	return answer(c, domainOf(&d))
}

func (a *API) deleteDomain(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "domain_id")
	if err != nil {
		return err
	}
	if err := a.server.DeleteDomain(c.Request().Context(), g, id); err != nil {
		return err
	}
	return empty(c)
}

func (a *API) verifyDomain(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "domain_id")
	if err != nil {
		return err
	}
	if _, err := a.readBody(c); err != nil { // it has no fields
		return err
	}
	if err := a.server.VerifyDomain(c.Request().Context(), g, id); err != nil {
		return err
	}
	return empty(c)
}

func (a *API) rotateKeys(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "domain_id")
	if err != nil {
		return err
	}
	if _, err := a.readBody(c); err != nil { // it has no fields
		return err
	}
	d, err := a.server.RotateKeys(c.Request().Context(), g, id)
	if err != nil {
		return err
	}
	return answer(c, domainOf(&d))
}

func (a *API) getZoneFile(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "domain_id")
	if err != nil {
		return err
	}
	zone, err := a.server.ZoneFile(c.Request().Context(), g, id)
	if err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "text/plain; charset=utf-8", []byte(zone))
}

// getSetupLink says that no DNS provider knows of this installation: records are published by hand.
func (a *API) getSetupLink(c echo.Context, g mail.Grant) error {
	id, err := pathID(c, "domain_id")
	if err != nil {
		return err
	}
	if _, err := a.server.GetDomain(c.Request().Context(), g, id); err != nil {
		return err
	}
	return answer(c, struct {
		Supported bool `json:"supported"`
	}{})
}
