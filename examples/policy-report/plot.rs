//! Two pictures: how many jobs wait longer than so long, and how long the jobs of each tenant do.

use std::error::Error;
use std::ops::Range;
use std::path::Path;

use plotters::prelude::*;
use qrtx_testkit::workload::{Order, Replay};

const SIZE: (u32, u32) = (1100, 460);
const FONT: (&str, i32) = ("sans-serif", 15);
/// Hours; shorter waits are drawn as this one, because a logarithm has no zero.
const SHORTEST: f64 = 0.01;

/// As different to those who see few colours as to others (Okabe and Ito 2008).
fn colour(order: Order) -> RGBColor {
    match order {
        Order::Fifo => RGBColor(230, 159, 0),
        Order::Priority => RGBColor(0, 114, 178),
        Order::Fair => RGBColor(0, 158, 115),
    }
}

/// Draws the waits of these replays of one trace.
pub(crate) fn draw(file: &Path, replays: &[Replay<'_>]) -> Result<(), Box<dyn Error>> {
    let area = SVGBackend::new(file, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let (left, right) = area.split_horizontally(SIZE.0 / 2);
    let jobs: Vec<_> = replays.iter().map(|it| (it.order, longer(it))).collect();
    let axes = Axes {
        title: "jobs that wait longer than",
        x: "hours",
        y: "part of all jobs",
    };
    curves(&left, &axes, (SHORTEST..100.0, 0.0005..1.0), &jobs)?;
    let tenants: Vec<_> = replays.iter().map(|it| (it.order, by_tenant(it))).collect();
    let count = tenants.iter().map(|(_, means)| means.len()).max();
    let last = count.unwrap_or(1).max(2) as f64;
    let axes = Axes {
        title: "mean wait by tenant",
        x: "tenants, the busiest first",
        y: "hours",
    };
    curves(&right, &axes, (1.0..last, SHORTEST..100.0), &tenants)?;
    area.present()?;
    Ok(())
}

struct Axes {
    title: &'static str,
    x: &'static str,
    y: &'static str,
}

type Curve = (Order, Vec<(f64, f64)>);

fn curves(
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
    axes: &Axes,
    (across, up): (Range<f64>, Range<f64>),
    curves: &[Curve],
) -> Result<(), Box<dyn Error>> {
    let mut chart = ChartBuilder::on(area)
        .caption(axes.title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d(across.log_scale(), up.log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .label_style(FONT)
        .x_labels(6)
        .x_label_formatter(&plain)
        .y_label_formatter(&plain)
        .x_desc(axes.x)
        .y_desc(axes.y)
        .draw()?;
    for (order, points) in curves {
        let style = colour(*order).stroke_width(2);
        chart
            .draw_series(LineSeries::new(points.iter().copied(), style))?
            .label(order.name())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerLeft)
        .label_font(FONT)
        .background_style(WHITE.mix(0.8))
        .draw()?;
    Ok(())
}

fn plain(value: &f64) -> String {
    format!("{value}")
}

/// Waits in hours, each with the part of the jobs that wait longer.
fn longer(replay: &Replay<'_>) -> Vec<(f64, f64)> {
    let mut hours: Vec<_> = replay
        .waits()
        .map(|wait| wait.as_secs_f64() / 3600.0)
        .collect();
    hours.sort_by(f64::total_cmp);
    let count = hours.len();
    // A picture has fewer points than there are jobs.
    let step = (count / 2_000).max(1);
    let points = hours.iter().enumerate().step_by(step);
    points
        .map(|(place, hours)| (hours.max(SHORTEST), (count - place) as f64 / count as f64))
        .collect()
}

/// The mean wait of each tenant's jobs in hours.
fn by_tenant(replay: &Replay<'_>) -> Vec<(f64, f64)> {
    let mut sums = Vec::<(f64, f64)>::new();
    for (wait, arrival) in replay.waits().zip(&replay.trace.arrivals) {
        if sums.len() <= arrival.tenant {
            sums.resize(arrival.tenant + 1, (0.0, 0.0));
        }
        let (sum, count) = &mut sums[arrival.tenant];
        *sum += wait.as_secs_f64() / 3600.0;
        *count += 1.0;
    }
    let tenants = (1..).zip(sums).filter(|(_, (_, count))| *count > 0.0);
    tenants
        .map(|(tenant, (sum, count))| (f64::from(tenant), (sum / count).max(SHORTEST)))
        .collect()
}
