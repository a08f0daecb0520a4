"""Maintenance configurations: every form of schedule, written and read back with the SDK's models."""

import datetime

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.containerservice import models

from .azure import client, cluster_id, expect, expect_error

GROUP, CLUSTER = "change", "windows"
AUTO_UPGRADE = "aksManagedAutoUpgradeSchedule"
NODE_OS = "aksManagedNodeOSUpgradeSchedule"


def check_configurations_come_and_go():
    """In one check, because a cluster has one configuration of each name."""
    configurations = client().maintenance_configurations
    expect("none at first", names(configurations), [])
    expect_error(
        lambda: configurations.get(GROUP, CLUSTER, AUTO_UPGRADE),
        ResourceNotFoundError, 404, "NotFound", "Could not find the maintenance configuration",
    )
    for schedule in schedules():
        put(configurations, AUTO_UPGRADE, window(schedule))
    put(configurations, NODE_OS, window(models.Schedule(daily=models.DailySchedule(interval_days=2))))
    put(configurations, "default", legacy())
    expect("names", names(configurations), sorted([AUTO_UPGRADE, NODE_OS, "default"]))
    for name in (AUTO_UPGRADE, NODE_OS, "default"):
        configurations.delete(GROUP, CLUSTER, name)
    expect("none at the end", names(configurations), [])
    # A second time there is nothing to delete, and nothing wrong with that: 204.
    configurations.delete(GROUP, CLUSTER, "default")


def check_configurations_of_the_start_are_read():
    """The legacy form, as clusters still have it."""
    configurations = list(client().maintenance_configurations.list_by_managed_cluster("read", "first"))
    expect("names", [configuration.name for configuration in configurations], ["default"])
    properties = configurations[0].properties
    expect("week", [(slot.day, slot.hour_slots) for slot in properties.time_in_week], [("Saturday", [1, 2])])
    expect("not allowed from", properties.not_allowed_time[0].start.isoformat(), "2026-12-24T00:00:00+00:00")


def check_a_window_must_be_long_enough():
    configurations = client().maintenance_configurations
    weekly = models.Schedule(weekly=models.WeeklySchedule(interval_weeks=1, day_of_week="Saturday"))
    too_short = models.MaintenanceConfiguration(properties=window(weekly, hours=3))
    expect_error(
        lambda: configurations.create_or_update(GROUP, "refusing", AUTO_UPGRADE, too_short),
        HttpResponseError, 400, "InvalidParameter", "durationHours",
    )


def put(configurations, name, properties):
    """Creates or changes one, and finds it again as it was written."""
    written = configurations.create_or_update(
        GROUP, CLUSTER, name, models.MaintenanceConfiguration(properties=properties)
    )
    expect("id", written.id.lower(), f"{cluster_id(GROUP, CLUSTER)}/maintenanceConfigurations/{name}".lower())
    read = configurations.get(GROUP, CLUSTER, name)
    for found in (written, read):
        expect(f"{name} as written", contained(properties.as_dict(), found.properties.as_dict()), True)


def contained(part, whole):
    """Whether all that was sent came back; the service may add its defaults."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(contained(value, whole.get(key)) for key, value in part.items())
    return part == whole


def names(configurations):
    return sorted(configuration.name for configuration in configurations.list_by_managed_cluster(GROUP, CLUSTER))


def schedules():
    return [
        models.Schedule(weekly=models.WeeklySchedule(interval_weeks=1, day_of_week="Saturday")),
        models.Schedule(absolute_monthly=models.AbsoluteMonthlySchedule(interval_months=3, day_of_month=15)),
        models.Schedule(
            relative_monthly=models.RelativeMonthlySchedule(interval_months=1, week_index="Last", day_of_week="Sunday")
        ),
    ]


def window(schedule, hours=8):
    return models.MaintenanceConfigurationProperties(
        maintenance_window=models.MaintenanceWindow(
            schedule=schedule,
            duration_hours=hours,
            utc_offset="+01:00",
            start_date=datetime.date(2026, 12, 1),
            start_time="22:00",
            not_allowed_dates=[models.DateSpan(start=datetime.date(2026, 12, 24), end=datetime.date(2026, 12, 27))],
        )
    )


def legacy():
    return models.MaintenanceConfigurationProperties(
        time_in_week=[models.TimeInWeek(day="Sunday", hour_slots=[2, 3])],
        not_allowed_time=[
            models.TimeSpan(
                start=datetime.datetime(2026, 12, 24, tzinfo=datetime.timezone.utc),
                end=datetime.datetime(2026, 12, 26, tzinfo=datetime.timezone.utc),
            )
        ],
    )
