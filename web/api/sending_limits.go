package api

import (
	"github.com/labstack/echo/v4"

	"podmail/mail"
	"podmail/server"
)

// podLimits is an addition to the contract: how many recipients a pod may write to, and has. 0 is as many as it likes.
type podLimits struct {
	PodID      string `json:"pod_id"`
	PerHour    int64  `json:"per_hour"`
	PerDay     int64  `json:"per_day"`
	Source     string `json:"source"` // chosen, new_pod or settings
	SentInHour int64  `json:"sent_in_hour"`
	SentInDay  int64  `json:"sent_in_day"`
}

func podLimitsOf(podID string, l *server.PodLimit) podLimits {
	source := "settings"
	switch {
	case l.Chosen:
		source = "chosen"
	case l.WarmUp:
		source = "new_pod"
	}
	return podLimits{podID, l.Rate.PerHour, l.Rate.PerDay, source, l.Sent.InHour, l.Sent.InDay}
}

func (a *API) getPodLimits(c echo.Context, g mail.Grant) error {
	l, err := a.server.GetPodLimit(c.Request().Context(), g, g.PodID)
	if err != nil {
		return err
	}
	return answer(c, podLimitsOf(g.PodID, &l))
}

func (a *API) updatePodLimits(c echo.Context, g mail.Grant) error {
	body, err := a.readBody(c)
	if err != nil {
		return err
	}
	change := server.RateChange{PerHour: body.optionalNumber("per_hour"), PerDay: body.optionalNumber("per_day")}
	if err := body.err(); err != nil {
		return err
	}
	l, err := a.server.LimitPod(c.Request().Context(), g, g.PodID, change)
	if err != nil {
		return err
	}
	return answer(c, podLimitsOf(g.PodID, &l))
}

func (a *API) deletePodLimits(c echo.Context, g mail.Grant) error {
	if err := a.server.UnlimitPod(c.Request().Context(), g, g.PodID); err != nil {
		return err
	}
	return empty(c)
}
