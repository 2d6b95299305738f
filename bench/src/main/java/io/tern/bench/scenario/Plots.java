package io.tern.bench.scenario;

import io.tern.bench.scenario.Loops.Loop;
import java.awt.Color;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.internal.chartpart.Chart;

/// PNG files for the report.
final class Plots {

  private static final int WIDTH = 900;
  private static final int HEIGHT = 420;
  private static final int DOTS_PER_INCH = 96;
  private static final List<String> PERCENTILES = List.of("p50", "p90", "p99", "p999");

  static {
    System.setProperty("java.awt.headless", "true");
  }

  private Plots() {}

  static void latencies(Path file, Comparison comparison) throws IOException {
    CategoryChart chart =
        new CategoryChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title("SENT at " + Loop.OPEN.value() + "/s, medians of the rounds")
            .yAxisTitle("ms")
            .build();
    for (Subject subject : Subject.values()) {
      if (!comparison.runs(Loop.OPEN, subject).isEmpty()) {
        chart.addSeries(
            subject.label(),
            PERCENTILES,
            PERCENTILES.stream()
                .map(p -> comparison.median(Loop.OPEN, subject, "sent_ms", p))
                .toList());
      }
    }
    save(chart, file);
  }

  static void idle(Path file, Idle.Result idle) throws IOException {
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title(String.format("%.0f bytes a session", idle.residentPerSession()))
            .xAxisTitle("sessions")
            .yAxisTitle("MB")
            .build();
    List<Integer> sessions = idle.points().stream().map(Idle.Point::sessions).toList();
    chart.addSeries(
        "resident",
        sessions,
        idle.points().stream().map(p -> p.residentBytes() / 1048576.0).toList());
    chart.addSeries(
        "live heap", sessions, idle.points().stream().map(p -> p.liveBytes() / 1048576.0).toList());
    save(chart, file);
  }

  static void slow(Path file, SlowConsumers.Result slow) throws IOException {
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title(slow.consumers() + " consumers that never read")
            .xAxisTitle("seconds")
            .yAxisTitle("resident, MB")
            .build();
    chart.addSeries(
        "server",
        slow.samples().stream().map(SlowConsumers.Sample::second).toList(),
        slow.samples().stream().map(s -> s.residentBytes() / 1048576.0).toList());
    save(chart, file);
  }

  private static void save(Chart<?, ?> chart, Path file) throws IOException {
    chart.getStyler().setChartBackgroundColor(Color.WHITE);
    BitmapEncoder.saveBitmapWithDPI(
        chart, file.toString(), BitmapEncoder.BitmapFormat.PNG, DOTS_PER_INCH);
  }
}
